"""Mistakes in a user's values that are reported before anything is created, each in one line with its place."""

from pathlib import Path

import anyio
import pytest

from tests.conftest import GIVEN_CHARTS
from zerojhub.errors import UserError
from zerojhub.hub import charts, values
from zerojhub.hub.moved import MOVED

GITHUB = "hub.config.GitHubOAuthenticator"
CHARTS = ["embedded", *GIVEN_CHARTS]
"""Our own chart, and the archives that the environment names."""


@pytest.fixture(scope="module", params=CHARTS)
def chart(request):
    return anyio.run(charts.find, request.param, None, Path())


@pytest.fixture
def problems(chart, tmp_path):
    def check(text: str) -> list[str]:
        path = tmp_path / "config.yaml"
        path.write_text(text)
        try:
            found = values.problems(values.UserValues(path), chart)
        except UserError as error:
            found = [error]
        return [str(each).removeprefix(f"{path}:") for each in found]

    return check


@pytest.mark.parametrize(
    "text",
    [
        "singleuser: {extraFiles: {a: {mountPath: /tmp/a, stringData: x, mode: 0644}}}",
        "debug: {enabled: yes}\ncull: {enabled: on}\nhub: {config: {NativeAuthenticator: {open_signup: no}}}",
        "ingress: {enabled: &off false}\ndebug: {enabled: *off}",
        "hub: {config: {Term: {until: 2026-01-31, at: 12:30}}}",
        "singleuser: {extraEnv: {A: '${HOME}', B: '{{ x }}'}}",
        "hub: {config: {JupyterHub: {template_vars: {note: <b>}}}, extraEnv: {PASSWORD: $(OTHER)}}",
        "hub: {containerSecurityContext: null}",
        "hub: {config: {GenericOAuthenticator: {userdata_from_id_token: true}}}",
        "hub: {}\nproxy: {}\n",
        "# nothing yet\n",
    ],
)
def test_values_that_helm_takes_are_taken(problems, text):
    assert problems(text) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tag: 170e405", '170e405"'),
        ("tag: 20161216", '20161216"'),
        ("tag: 1.10", '1.10"'),
        ("tag: 0x1F", '0x1F"'),
        ("tag: on", 'on"'),
    ],
)
def test_a_number_where_text_belongs_is_shown_as_it_was_written(problems, text, message):
    said = problems(f"singleuser:\n  image:\n    {text}\n")
    assert said == [f'3: singleuser.image.tag: must be a string: put it in quotes, "{message}']


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("proxy: {service: NodePort}", '1: proxy.service: must be object, not "NodePort"'),
        ("debug: {}\nproxy: NodePort", '2: proxy: must be object, not "NodePort"'),
        ("hub: [a]", '1: hub: must be object, not ["a"]'),
        ("hub:\n  config: 3", "2: hub.config: must be object, not 3"),
        ("singleuser: no", "1: singleuser: must be object, not no"),
        ("cull: 1.5", "1: cull: must be object, not 1.5"),
        ("hub:\n  config:\n    JupyterHub: dummy", '3: hub.config.JupyterHub: must be object, not "dummy"'),
        ("hub:\n  config:\n    JupyterHub:", "3: hub.config.JupyterHub is empty (remove the line)"),
        ("hub:\n  config:\n    Mine: [a]", '3: hub.config.Mine: must be object, not ["a"]'),
        ("hub:\n  config:\n    loadRoles: {}", "3: unknown key hub.config.loadRoles (did you mean hub.loadRoles?)"),
        (
            "hub:\n  config:\n    allow_all: true",
            "3: unknown key hub.config.allow_all (keys are classes of JupyterHub, such as Authenticator)",
        ),
    ],
)
def test_a_section_of_another_type_has_its_line(problems, text, message):
    assert [each.replace(" or null", "") for each in problems(text)] == [message]


@pytest.mark.parametrize(
    ("text", "line", "name"),
    [
        ("jupyterhub: {hub: {config: {}}}", 1, "jupyterhub"),
        ("global: {}\ndaskhub:\n  jupyterhub:\n    hub: {}\n", 2, "daskhub.jupyterhub"),
        ("basehub: {singleuser: {memory: {limit: 1G}}}\ndask-gateway: {enabled: true}", 1, "basehub"),
    ],
)
def test_values_of_an_umbrella_chart(problems, text, line, name):
    (said,) = problems(text)
    assert said.startswith(f"{line}: ")
    assert f"umbrella chart, with those of jupyterhub in {name} (give what is below `{name}:`)" in said


def test_an_umbrella_chart_takes_its_own_values(tmp_path):
    (tmp_path / "Chart.yaml").write_text("name: basehub\nversion: 1.0.0\n")
    chart = anyio.run(charts.find, str(tmp_path), None, Path())
    (path := tmp_path / "config.yaml").write_text("jupyterhub: {hub: {config: {}}}\n")
    assert values.problems(values.UserValues(path), chart) == []


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("hub:\n#  config: {}\nproxy:\n#  service: {}\n", ["1: hub", "3: proxy"]),
        ("singleuser:\n", ["1: singleuser"]),
        ("hub:\n  config:\n    # JupyterHub: {}\n  db:\n", ["2: hub.config", "4: hub.db"]),
    ],
)
def test_a_section_with_everything_commented_out_has_its_line(problems, text, places):
    said = problems(text)
    assert [each.partition(" is empty, which removes the chart's defaults")[0] for each in said] == places
    assert all("remove the line, or write" in each for each in said)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "auth: {type: dummy}",
            "1: unknown key auth.type (since chart 0.11.0: hub.config.JupyterHub.authenticator_class)",
        ),
        (
            "auth:\n  github: {clientId: x}\n  more: 1\n",
            "2: unknown key auth.github.clientId (since chart 0.11.0: hub.config.GitHubOAuthenticator.client_id)",
        ),
        (
            "singleuser: {cloudMetadata: {enabled: true}}",
            "1: unknown key singleuser.cloudMetadata.enabled "
            "(since chart 1.0.0: singleuser.cloudMetadata.blockWithIptables, with the opposite value)",
        ),
        ("proxy: {pdb: {enabled: true}}", "1: unknown key proxy.pdb (since chart 0.11.0: proxy.chp.pdb)"),
        ("hub:\n  fsGid: 1000", "2: unknown key hub.fsGid (since chart 2.0.0: hub.podSecurityContext.fsGroup)"),
        ("token: {proxy: abc}", "1: unknown key token.proxy (since chart 0.4.0: proxy.secretToken)"),
        ("statsd: {port: 1}", "1: unknown key statsd (removed in chart 0.5.0)"),
    ],
)
def test_a_key_of_an_older_chart_says_where_it_went(problems, text, message):
    assert problems(text)[0] == message


def test_every_new_place_is_a_place_in_the_chart(chart):
    """As far as the chart has a schema for it: what is below hub.config is JupyterHub's."""
    for new in (new for _, new in MOVED.values() if new and not new.startswith("httpRoute")):
        section, schema = new.replace(",", "").split()[0].split("."), chart.schema
        for step in section[: 2 if section[0] == "hub" else 1]:
            assert step in schema["properties"], new
            schema = schema["properties"][step]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("config: {JupyterHub: {}}", "1: unknown key config (did you mean 'hub.config'?)"),
        ("JupyterHub: {}", "1: unknown key JupyterHub (did you mean 'hub.config.JupyterHub'?)"),
        ("hub:\n  KubeSpawner: {}", "2: unknown key hub.KubeSpawner (did you mean 'hub.config.KubeSpawner'?)"),
        ("extraConfig: {mine: x}", "1: unknown key extraConfig (did you mean 'hub.extraConfig'?)"),
        ("hub:\n  storage: {}", "2: unknown key hub.storage (did you mean 'singleuser.storage'?)"),
    ],
)
def test_a_key_in_another_section_says_where_it_belongs(problems, text, message):
    assert problems(text) == [message]


def test_a_key_that_has_not_moved_yet_is_left_alone(chart, tmp_path):
    (path := tmp_path / "config.yaml").write_text("httpRoute: {gateway: {name: x}}\n")
    assert all("parentRefs" not in str(each) for each in values.problems(values.UserValues(path), chart))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("proxy: {secretToken: <RANDOM_HEX>}", "1: proxy.secretToken: the placeholder <RANDOM_HEX> has"),
        (
            "hub: {config: {GitHubOAuthenticator: {client_secret: '${SECRET}'}}}",
            "1: hub.config.GitHubOAuthenticator.client_secret: the placeholder ${SECRET} has",
        ),
        (
            "hub: {config: {DummyAuthenticator: {password: '{{ password }}'}}}",
            "1: hub.config.DummyAuthenticator.password: the placeholder {{ password }} has",
        ),
        (
            "hub: {config: {GitHubOAuthenticator: {oauth_callback_url: 'https://<your-domain>/hub'}}}",
            "1: hub.config.GitHubOAuthenticator.oauth_callback_url: the placeholder <your-domain> has",
        ),
        ("ingress:\n  hosts: [<host>]", "2: ingress.hosts.0: the placeholder <host> has"),
        ("hub: {cookieSecret: {{ SECRET }}}", "1: the placeholder {{ SECRET }} has"),
        (
            "hub: {config: {GitHubOAuthenticator: {client_id: YOUR-CLIENT-ID}}}",
            f"1: {GITHUB}.client_id: the placeholder YOUR-CL",
        ),
        (
            "hub: {config: {GitHubOAuthenticator: {client_secret: CHANGEME}}}",
            f"1: {GITHUB}.client_secret: the placeholder CHANGE",
        ),
        (
            "hub: {config: {GitHubOAuthenticator: {client_secret: $SECRET}}}",
            f"1: {GITHUB}.client_secret: the placeholder $SECRET",
        ),
        (
            "hub: {config: {GitHubOAuthenticator: {allowed_organizations: [YOUR-ORG]}}}",
            f"1: {GITHUB}.allowed_organizations.0: the p",
        ),
        (
            "hub: {config: {GitHubOAuthenticator: {admin_users: [<you>]}}}",
            f"1: {GITHUB}.admin_users.0: the placeholder <you> has",
        ),
    ],
)
def test_a_placeholder_that_nobody_filled_in(problems, text, message):
    (said,) = problems(text)
    assert said.startswith(message)
    assert " has not been filled in" in said


@pytest.mark.parametrize(
    ("config", "place"),
    [
        ("DummyAuthenticator: {password: 12345}", "DummyAuthenticator.password"),
        ("GitHubOAuthenticator: {client_id: 0123}", "GitHubOAuthenticator.client_id"),
    ],
)
def test_a_credential_has_to_be_text_and_is_not_shown(problems, config, place):
    assert problems(f"hub: {{config: {{{config}}}}}") == [
        f"1: hub.config.{place}: must be a string: put it in quotes",
    ]


def test_user_names_have_to_be_text(problems):
    said = problems("hub:\n  config:\n    Authenticator:\n      allowed_users: [ada, 0123]\n      admin_users: [yes]\n")
    assert said == [
        '4: hub.config.Authenticator.allowed_users.1: must be a string: put it in quotes, "0123"',
        '5: hub.config.Authenticator.admin_users.0: must be a string: put it in quotes, "yes"',
    ]


@pytest.mark.parametrize("text", ["[]", "false", "word", "- a\n- b\n", "3"])
def test_values_that_are_no_mapping(problems, text):
    assert problems(text) == ["1: a values file must be a mapping"]


def test_a_chart_without_a_schema(tmp_path):
    folder = tmp_path / "jupyterhub"
    folder.mkdir()
    (folder / "Chart.yaml").write_text("name: jupyterhub\nversion: 0.9.1\n")
    (folder / "values.yaml").write_text("proxy: {service: {type: LoadBalancer}}\nauth: {type: dummy}\n")
    chart = anyio.run(charts.find, str(folder), None, Path())
    (path := tmp_path / "config.yaml").write_text("proxy:\n  service: NodePort\nauth: {type: github}\nhub: {x: 1}\n")
    assert [str(each) for each in values.problems(values.UserValues(path), chart)] == [
        f'{path}:2: proxy.service: must be object, not "NodePort"'
    ]


@pytest.mark.parametrize(
    "text",
    [
        "hub: {cookieSecret: Zq7-unguessable, unknown: 1}",
        "hub: {db: {url: [Zq7-unguessable]}}",
        "proxy: {https: {manual: {key: [Zq7-unguessable]}}}",
        "hub: {passphrase: Zq7-unguessable, config: {Mine: {api_token: 1}}, db: {passphrase: [Zq7-unguessable]}}",
        "singleuser: {credentials: [Zq7-unguessable]}",
        "hub: {config: {credentials: Zq7-unguessable, Passphrase: Zq7-unguessable}}",
    ],
)
def test_no_mistake_shows_a_secret(problems, text):
    found = problems(text)
    assert found
    assert not [each for each in found if "Zq7" in each]
