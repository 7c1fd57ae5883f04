"""A service is one package in `zerojhub/practice/cloud`: it is served and listed in the catalog without further changes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.conftest import practice
from zerojhub.practice import cloud, profile
from zerojhub.practice.cloud import services

FILES = {
    "__init__.py": """
TYPES = ("greeting",)
ROOT = "/greeting"
""",
    "errors.py": """
from starlette.responses import JSONResponse

def to_response(refusal):
    return JSONResponse({"refused": refusal.message}, refusal.status)
""",
    "routes.py": """
from zerojhub.practice.cloud import greeter
from zerojhub.practice.cloud.greeter import errors
from zerojhub.practice.cloud.wire import Routes, Service

routes = Routes()
SERVICE = Service(greeter.TYPES, greeter.ROOT, errors.to_response, [routes])

@routes("GET", "/v1/{name}")
async def greet(call):
    return {"hello": call.path_params["name"]}
""",
}


@pytest.fixture
def greeter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A profile with a service whose package was just added."""
    for name, text in FILES.items():
        file = tmp_path / "cloud" / "greeter" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    monkeypatch.setattr(cloud, "__path__", [*cloud.__path__, str(tmp_path / "cloud")])
    services.roots.cache_clear()
    path = tmp_path / "profile.yaml"
    whole = (profile.FOLDER / "both.yaml").read_text()
    path.write_text(whole.replace("services:\n", "services:\n- {type: greeting, name: greeter, path: /v1}\n", 1))
    yield path
    services.roots.cache_clear()
    for name in [name for name in sys.modules if name.startswith("zerojhub.practice.cloud.greeter")]:
        del sys.modules[name]


def test_a_new_service_package_is_served(tmp_path: Path, greeter: Path) -> None:
    with practice(tmp_path, greeter) as site:
        assert site.client("/greeting/v1").get("/ada").json() == {"hello": "ada"}
        refused = site.client("/greeting/v1").get("/ada/lovelace")
        assert (refused.status_code, refused.json()) == (404, {"refused": "The resource could not be found."})
        catalog = {each["type"]: each for each in site.token().json()["token"]["catalog"]}
        assert catalog["greeting"]["endpoints"][0]["url"] == f"{site.url}/greeting/v1"


def test_a_service_that_the_profile_does_not_list_is_not_served(tmp_path: Path, greeter: Path) -> None:
    with practice(tmp_path) as site:
        assert site.client("/greeting/v1").get("/ada").status_code == 404


def test_every_service_has_the_same_files() -> None:
    folders = {Path(package.__file__ or "").parent for package in services.packages()}
    assert len(folders) == 10
    for folder in folders:
        # A real Swift stores everything itself.
        assert (folder / "records.py").exists() or folder.name == "swift"
        assert (folder / "errors.py").exists()
        assert (folder / "routes.py").exists() or (folder / "routes" / "__init__.py").exists()
