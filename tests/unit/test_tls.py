"""TLS: every server's certificate is verified, and a CA of the person's own is trusted where they say so."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from tests.unit import fakecloud
from tests.unit.authority import Authority
from tests.unit.fakecloud import Answer, FakeCloud, clouds_yaml
from zerojhub import tls
from zerojhub.errors import ZeroJHubError
from zerojhub.hub import download
from zerojhub.hub.client import HubClient, HubError
from zerojhub.openstack.session import Cloud


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The certificate of a CA that nobody knows."""
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    tls.trusted.cache_clear()
    yield tmp_path / "ca.pem"
    tls.trusted.cache_clear()


@pytest.fixture
def secure(authority: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeCloud]:
    """A cloud, a hub and a chart repository whose certificate that CA has signed."""
    ca = Authority()
    authority.write_text(ca.pem)
    (pair := authority.with_name("server.pem")).write_text("".join(ca.issue("127.0.0.1")))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair)
    with fakecloud.served(context) as cloud:
        path = clouds_yaml(authority.with_name("clouds.yaml"), f"{cloud.url}/identity")
        monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(path))
        for request in ("GET /chart.tgz", "GET /hub/api/users"):
            cloud.answer(request, Answer(200, []))
        yield cloud


def test_no_password_goes_to_a_cloud_with_a_certificate_of_an_unknown_authority(secure):
    with pytest.raises(ZeroJHubError, match=r"(?i)certificate"):
        anyio.run(Cloud("fake").authenticate)
    assert secure.tokens == 0


def test_the_authority_that_clouds_yaml_names_is_trusted(secure, authority):
    path = authority.with_name("clouds.yaml")
    settings = json.loads(path.read_text())
    settings["clouds"]["fake"]["cacert"] = str(authority)
    path.write_text(json.dumps(settings))
    anyio.run(Cloud("fake").authenticate)
    assert secure.tokens == 1


def ask_hub(url: str) -> object:
    async def ask() -> object:
        async with HubClient(url, "token", attempts=1) as client:
            return await client.json("GET", "/hub/api/users", of=list)

    return anyio.run(ask)


def test_downloads_and_hubs_are_verified_too(secure):
    with pytest.raises(ZeroJHubError, match=r"(?i)certificate"):
        anyio.run(download.get, f"{secure.url}/chart.tgz", "the chart")
    with pytest.raises(HubError, match=r"(?i)certificate"):
        ask_hub(secure.url)
    assert secure.requests == []


def test_an_authority_of_the_organization_is_trusted_where_ssl_cert_file_names_it(secure, authority, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    assert anyio.run(download.get, f"{secure.url}/chart.tgz", "the chart") == b"[]"
    assert ask_hub(secure.url) == []
