"""clouds.yaml: what openstacksdk accepts works, and everything else is one line that says where the mistake is."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit import fakecloud
from tests.unit.fakecloud import FakeCloud
from zerojhub.errors import UserError, ZeroJHubError
from zerojhub.openstack.session import Cloud

PASSWORD = "Zq7-unguessable"
AUTH = {
    "auth_url": "https://cloud.example.org:5000/v3",
    "username": "me",
    "password": PASSWORD,
    "project_name": "mine",
    "user_domain_name": "Default",
    "project_domain_name": "Default",
}
WITHOUT_PASSWORD = {key: value for key, value in AUTH.items() if key != "password"}
Write = Callable[[str], Path]


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """openstacksdk looks for all of its files in an empty folder only."""
    from openstack.config import loader

    for name, stem in (("CONFIG_FILES", "clouds"), ("SECURE_FILES", "secure"), ("VENDOR_FILES", "clouds-public")):
        monkeypatch.setattr(loader, name, [str(tmp_path / f"{stem}.{suffix}") for suffix in ("yaml", "json")])
    for name in [name for name in os.environ if name.startswith("OS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def write(folders: Path) -> Write:
    def write(text: str, name: str = "clouds.yaml") -> Path:
        path = folders / name
        path.write_text(text)
        return path

    return write


def entry(extra: str = "", **auth: Any) -> str:
    """clouds.yaml with the cloud `x`; its auth starts in line 4, and `extra` follows it."""
    lines = [f"      {key}: {value}" for key, value in (auth or AUTH).items()]
    return "\n".join(["clouds:", "  x:", "    auth:", *lines, *(f"    {line}" for line in extra.splitlines()), ""])


def refusal(name: str | None = "x") -> str:
    with pytest.raises(UserError) as refused:
        _ = Cloud(name).region
    text = str(refused.value)
    assert "\n" not in text
    assert PASSWORD not in text
    return text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("clouds: [a, b]", ":1: clouds must be a mapping of names, not a list"),
        ("clouds:", ":1: clouds must be a mapping of names, not empty"),
        ("\nclouds: x", ":2: clouds must be a mapping of names, not text"),
        ("- clouds", ":1: must be a mapping with clouds, not a list"),
        ("clouds", ":1: must be a mapping with clouds, not text"),
        ("clouds:\n  x:", ":2: cloud 'x' must be a mapping with auth, not empty"),
        ("clouds:\n  y: {}\n  x: [a]", ":3: cloud 'x' must be a mapping with auth, not a list"),
        ("clouds:\n  x: word", ":2: cloud 'x' must be a mapping with auth, not text"),
        ("clouds:\n  x:\n    auth:", ":3: auth of cloud 'x' must be a mapping with auth_url, not empty"),
        ("clouds:\n  x:\n    auth: [a]", ":3: auth of cloud 'x' must be a mapping with auth_url, not a list"),
        ("clouds:\n  x:\n    auth: 7", ":3: auth of cloud 'x' must be a mapping with auth_url, not a number"),
        ("clouds:\n  x: {}", ":2: cloud 'x' has no auth_url"),
        ("clouds:\n  x:\n    auth: {username: me}", ":3: cloud 'x' has no auth_url"),
        (entry(**WITHOUT_PASSWORD), ":3: cloud 'x' has no password (write it into the entry or into secure.yaml, or set"),
        (entry(**AUTH | {"verify": "false"}), ":10: verify belongs beside auth, not in it"),
        (entry(**AUTH | {"region_name": "R1"}), ":10: region_name belongs beside auth, not in it"),
        (entry(**AUTH | {"usernme": "me"}), ":10: unknown key 'usernme' in auth of cloud 'x' (did you mean username?)"),
        (entry(**AUTH | {"username": ""}), ":5: username has no value (fill it in, or remove the line)"),
        (entry(**AUTH | {"password": "0123"}), ":6: YAML reads password as another value, not as text (put it in quotes)"),
        (entry(**AUTH | {"password": "yes"}), ":6: YAML reads password as another value, not as text (put it in quotes)"),
        (entry(**AUTH | {"project_name": "1_000"}), ":7: YAML reads project_name as 1000, not as text (put it in"),
        (entry(**AUTH | {"project_name": "2026-01-31"}), ":7: YAML reads project_name as datetime.date(2026, 1, 31)"),
        (entry(**AUTH | {"project_name": "[a]"}), ":7: project_name must be text, not a list"),
        (entry("region_name: no"), ":10: YAML reads region_name as False, not as text (put it in quotes)"),
        (entry("auth_type: v3pasword"), ":10: unknown auth_type 'v3pasword' (did you mean v3password?)"),
        (entry("auth_type: magic"), ":10: unknown auth_type 'magic' (such as password, v3applicationcredential or"),
        (entry("cacert: ~/ca.pem"), ":10: cacert: no such file: {folder}/ca.pem"),
        (entry("cacert: certificates/ca.pem"), ":10: cacert: no such file: certificates/ca.pem"),
        (entry("cert: /nowhere/me.pem\nkey: /nowhere/me.key"), ":10: cert: no such file: /nowhere/me.pem"),
        (entry("verify: 'false'"), ":10: verify: no such file: false (true or false without quotes, or the path"),
        (entry("profile: nobody", username="me", password=PASSWORD), ":6: unknown profile 'nobody' (define it in clouds-p"),
        (entry("regions: true"), ":10: regions must be a list, not a number or a truth value"),
        (entry("api_timeout: soon"), ":10: api_timeout must be a number of seconds, not text"),
        (entry("networks: [a]"), ":10: networks must be a list of mappings, not of text"),
        (entry("cache: 5"), ":10: cache must be a mapping, not a number or a truth value"),
        (entry("profile: http://127.0.0.1:9"), ":10: profile 'http://127.0.0.1:9' cannot be fetched: nothing answers"),
        (entry("networks: a"), ":10: networks must be a list of mappings, not text"),
        (entry("profile: [a]"), ":10: profile must be text, not a list"),
        (entry("auth_type: [a]"), ":10: auth_type must be text, not a list"),
        (entry("cacert: [a]"), ":10: cacert must be text, not a list"),
        (entry("profile: &a {b: *a}"), ":10: the anchor 'a' contains itself"),
        (entry() + "cache: 3", ":10: cache must be a mapping, not a number or a truth value"),
        (entry(**AUTH | {"auth_url": "https://{nobody}/v3"}), ":2: cloud 'x' cannot be used: "),
        (entry("auth_type:"), ":10: auth_type has no value (fill it in, or remove the line)"),
        (entry("auth_type: ''"), ":10: auth_type has no value (fill it in, or remove the line)"),
        (entry(**AUTH | {"auth_url": "cloud.example.org:5000/v3"}), ":4: auth_url is not a valid http or https URL: cloud.ex"),
        (entry(**AUTH | {"auth_url": "https://cloud.example.org:500000/v3"}), ":4: auth_url is not a valid"),
        (entry(**AUTH | {"auth_url": "https://cloud.example.org:port/v3"}), ":4: auth_url is not a valid http or https URL: "),
        (entry(**AUTH | {"auth_url": "htps://cloud.example.org/v3"}), ":4: auth_url is not a valid http or https URL: htps"),
        (entry(**AUTH | {"auth_url": "https://[::1/v3"}), ":4: auth_url is not a valid http or https URL: https://[::1"),
        (entry(**AUTH | {"auth_url": "https://my cloud/v3"}), ":4: auth_url is not a valid http or https URL: https://my"),
        (entry(**AUTH | {"auth_url": "https:///v3"}), ":4: auth_url is not a valid http or https URL: https:///v3"),
        (entry(**AUTH | {"auth_url": "https://<host>:5000"}), ":4: auth_url: the placeholder <host> has not been filled in"),
        (entry(**AUTH | {"password": "<password>"}), ":6: password: the placeholder <password> has not been filled in"),
        (entry(**AUTH | {"password": "'***'"}), ":6: password: the placeholder *** has not been filled in"),
        (entry(**AUTH | {"password": "CHANGEME"}), ":6: password: the placeholder CHANGEME has not been filled in"),
        (entry(**AUTH | {"username": "$OS_USERNAME"}), ":5: username: the placeholder $OS_USERNAME has not been filled in"),
        (entry(**AUTH | {"project_name": "your-project"}), ":7: project_name: the placeholder your-project has not been"),
        (entry() + "  x: {}", ":10: not valid YAML: duplicate key 'x' (the first is in line 2; merge them)"),
        (entry(**AUTH | {"username": "a\n      username: b"}), ":6: not valid YAML: duplicate key 'username' (the first is"),
        ("clouds:\n  x: {a: b\n  y: c", ":3: not valid YAML: "),
        ("clouds:\n\tx: y", ":2: not valid YAML: "),
        ("clouds:\n  x: {{ cloud }}", ":2: the placeholder {{ cloud }} has not been filled in"),
        ("clouds:\n  x: '\0'", ":2: not valid YAML: contains the control character U+0000"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_with_its_place(write, folders, text, said):
    path = write(text)
    assert refusal().startswith(f"{path}{said}".replace("{folder}", str(folders)))


@pytest.mark.parametrize("kind", [None, "password", "v3password"])
def test_application_credentials_need_their_auth_type(write, kind):
    keys = {"auth_url": AUTH["auth_url"], "application_credential_id": "a", "application_credential_secret": "b"}
    path = write(entry(f"auth_type: {kind}" if kind else "", **keys))
    advice = "application credentials need auth_type: v3applicationcredential (add it beside auth)"
    assert refusal() == f"{path}:5: {advice}"
    write(entry("auth_type: v3applicationcredential", **keys))
    assert Cloud("x").region.config["auth"]["application_credential_secret"] == "b"


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        (entry(**AUTH | {"password": "12345"}), "password", "12345"),
        (entry(**AUTH | {"password": "'0123'"}), "password", "0123"),
        (entry(**AUTH | {"password": "grüße"}), "password", "grüße"),
        (entry(**AUTH | {"password": "a{b"}), "password", "a{b"),
        (entry(**AUTH | {"password": "changeme"}), "password", "changeme"),
        (entry(**AUTH | {"password": "$a<b>"}), "password", "$a<b>"),
        (entry(**WITHOUT_PASSWORD | {"password": "x", "tenant_name": "theirs", "project_name": "theirs"}), "project_name", "theirs"),
        ("base: &base\n" + "".join(f"  {key}: {value}\n" for key, value in AUTH.items()) + "clouds: {x: {auth: {<<: *base}}}",
         "username", "me"),
    ],
)  # fmt: skip
def test_what_openstacksdk_accepts_is_accepted(write, text, key, value):
    write(text)
    assert Cloud("x").region.config["auth"][key] == value


def test_names_of_clouds(write, monkeypatch):
    assert refusal().startswith("no cloud named 'x' in clouds.yaml (none is defined) (add it to ")
    path = write(entry().replace("  x:", "  y:") + entry().replace("  x:", "  z:").partition("\n")[2])
    assert refusal().startswith("no cloud named 'x' in clouds.yaml (known: y, z)")
    advice = "select one with --cloud, in the deployment file or in OS_CLOUD"
    assert refusal(None) == f"{path}: no cloud is selected (known: y, z) ({advice})"
    monkeypatch.setenv("OS_CLOUD", "nobody")
    assert refusal(None).startswith("no cloud named 'nobody' in clouds.yaml (known: y, z), which OS_CLOUD selects")
    monkeypatch.setenv("OS_CLOUD", "y")
    assert Cloud().name == "y"


def test_the_only_cloud_need_not_be_selected(write):
    write(entry())
    assert Cloud().name == "x"


def test_a_file_that_does_not_exist_is_named(write, monkeypatch, folders):
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", "elsewhere.yaml")
    assert "OS_CLIENT_CONFIG_FILE is elsewhere.yaml, which does not exist" in refusal()
    write(entry())  # as openstacksdk does, look where it is by default
    assert Cloud("x").name == "x"
    broken = write("clouds: {]", "elsewhere.yaml")  # but not where the file is there, which may be of another cloud
    assert refusal().startswith(f"{broken.name}:1: not valid YAML")


@pytest.mark.parametrize("name", ["clouds.yaml", "secure.yaml"])
def test_a_folder_in_the_place_of_a_file(write, folders, name):
    if name != "clouds.yaml":
        write(entry(**WITHOUT_PASSWORD))
    (folders / name).mkdir()
    assert refusal() == f"{folders / name}: cannot be read: Is a directory"


def test_another_encoding(folders):
    (folders / "clouds.yaml").write_bytes(entry(**AUTH | {"username": "ä"}).encode("latin-1"))
    assert refusal().startswith(f"{folders / 'clouds.yaml'}:5: not valid UTF-8: ")


@pytest.mark.parametrize("name", ["clouds.yaml", "secure.yaml"])
def test_utf_16(write, folders, name):
    write(entry(**WITHOUT_PASSWORD))
    (folders / name).write_bytes(entry().encode("utf-16"))
    assert refusal() == f"{folders / name}: not valid UTF-8: it is UTF-16 (save the file as UTF-8)"


def test_json(write, folders):
    import json

    path = write(json.dumps({"clouds": {"x": {"auth": AUTH}}}, indent="\t"), "clouds.json")
    assert Cloud("x").region.config["auth"]["username"] == "me"
    path.write_text('{"clouds":\n{"x": }}')
    assert refusal() == f"{path}:2: not valid JSON: Expecting value"


def test_secrets_in_a_file_of_their_own(write, monkeypatch):
    write(entry(**WITHOUT_PASSWORD))
    secure = write(f"clouds: {{x: {{auth: {{password: {PASSWORD}}}}}}}", "secure.yaml")
    assert Cloud("x").region.config["auth"]["password"] == PASSWORD
    secure.write_text("clouds:\n  x: {auth: {password: 0123}}")
    assert refusal().startswith(f"{secure}:2: YAML reads password as another value")
    secure.write_text("clouds:\n  x: {auth: {]")
    assert refusal().startswith(f"{secure}:2: not valid YAML: ")
    secure.write_text("clouds:\n  x: []")
    assert refusal().startswith(f"{secure}:2: cloud 'x' must be a mapping with auth, not a list")
    secure.unlink()
    monkeypatch.setenv("OS_PASSWORD", PASSWORD)  # as with the `openstack` client
    assert Cloud("x").region.config["auth"]["password"] == PASSWORD


def test_profiles_of_vendors(write):
    write(entry("profile: nearby", **{key: value for key, value in AUTH.items() if key != "auth_url"}))
    vendors = write(f"public-clouds:\n  nearby:\n    auth: {{auth_url: {AUTH['auth_url']}}}", "clouds-public.yaml")
    assert Cloud("x").region.config["auth"]["auth_url"] == AUTH["auth_url"]
    vendors.write_text("public-clouds:\n  nearby:\n    auth: []")
    assert refusal().startswith(f"{vendors}:3: auth of cloud 'nearby' must be a mapping")
    vendors.write_text("public-clouds: {]")
    assert refusal().startswith(f"{vendors}:1: not valid YAML")
    vendors.write_text("public-clouds: [a]")
    assert refusal().startswith(f"{vendors}:1: public-clouds must be a mapping of names, not a list")


def test_variables_that_are_not_complete(monkeypatch):
    monkeypatch.setenv("OS_USERNAME", "me")
    monkeypatch.setenv("OS_PASSWORD", PASSWORD)
    advice = "set OS_AUTH_URL, or select a cloud of clouds.yaml with OS_CLOUD"
    assert refusal(None) == f"OS_PASSWORD, OS_USERNAME: cloud 'envvars' has no auth_url ({advice})"
    monkeypatch.setenv("OS_AUTH_URL", AUTH["auth_url"])
    monkeypatch.setenv("OS_CACERT", "~/ca.pem")
    assert refusal(None).startswith("OS_CACERT: cacert: no such file: /")
    monkeypatch.delenv("OS_CACERT")
    monkeypatch.setenv("OS_AUTH_TYPE", "v3pasword")
    assert refusal(None).endswith("unknown auth_type 'v3pasword' (did you mean v3password?)")
    monkeypatch.delenv("OS_AUTH_TYPE")
    monkeypatch.delenv("OS_PASSWORD")
    assert "cloud 'envvars' has no password" in refusal(None)


@pytest.mark.parametrize("setting", ["region_name: R9", "interface: secret", "interface: [internal, admin]"])
def test_a_region_or_an_interface_that_the_catalog_does_not_have(fake_cloud: FakeCloud, write, setting):
    write(entry(setting, **AUTH | {"auth_url": f"{fake_cloud.url}/identity", "password": fakecloud.PASSWORD}))
    os.environ.pop("OS_CLIENT_CONFIG_FILE")
    with pytest.raises(ZeroJHubError) as refused:
        anyio.run(Cloud("x").compute.get, "/servers", object)
    assert "cloud x has no compute service in its catalog for region" in str(refused.value)
    assert "(set region_name (of R1) or interface (of public) in clouds.yaml)" in str(refused.value)


def test_a_certificate_that_is_none(write, folders, monkeypatch):
    (folders / "ca.pem").write_text("nothing")
    write(entry("cacert: ca.pem"))
    monkeypatch.setenv("NO_PROXY", "*")
    with pytest.raises(UserError) as refused:
        anyio.run(Cloud("x").authenticate)
    assert "\n" not in str(refused.value)


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.dates(), st.text(max_size=8), st.just("{x}")
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2)
)
KEYS = [*AUTH, "application_credential_id", "auth_type", "token", "verify", "cacert", "cert", "key", "profile", "cloud", "regions",
        "region_name", "interface", "identity_api_version", "api_timeout", "networks", "domain_id", "metrics", "insecure", "force_ipv4",
        "compute_endpoint_override", "volume_api_version", "external_network", "auth_methods", "floating_ip_source"]  # fmt: skip
SETTINGS = st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=3), VALUES, max_size=3)


@given(
    auth=SETTINGS.map(lambda some: AUTH | some) | VALUES,
    beside=SETTINGS,
    others=st.dictionaries(st.sampled_from(["x", "cache", "client", "metrics", "clouds"]), VALUES, max_size=1),
    secure=st.none() | VALUES,
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_in_the_files_is_used_or_refused(folders, auth, beside, others, secure):
    (folders / "clouds.yaml").write_text(yaml.safe_dump({"clouds": {"x": {"auth": auth} | beside}} | others))
    (folders / "secure.yaml").write_text(yaml.safe_dump({"clouds": {"x": secure}} if secure else {}))
    with contextlib.suppress(UserError):
        _ = Cloud("x").region


@given(st.text() | st.binary(max_size=60))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_the_file_is_it_is_refused(folders, content):
    (folders / "clouds.yaml").write_bytes(
        content if isinstance(content, bytes) else content.encode(errors="surrogatepass")
    )
    (folders / "secure.yaml").write_text("")
    with pytest.raises(UserError):
        _ = Cloud("x").region
