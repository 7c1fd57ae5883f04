"""What the templates of a chart refuse, as Helm finds it without a cluster."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from tests.chart.rendering import CHART, HELM
from tests.conftest import GIVEN_CHARTS
from zerojhub.deployment import HubSpec
from zerojhub.hub import charts
from zerojhub.hub.rendering import refusals
from zerojhub.hub.secrets import Secrets
from zerojhub.hub.values import UserValues, completed

OWN = {
    "Chart.yaml": 'apiVersion: v2\nname: own\nversion: 1.2.0\nkubeVersion: ">=1.30.0-0 <1.36.0-0"\n',
    "templates/_h.tpl": '{{ define "in" }}{{ .Values.x.y.z }}{{ end }}{{ define "out" }}{{ include "in" . }}{{ end }}',
}


@pytest.fixture
def said(tmp_path):
    """What is said of a chart with these values, without folders."""

    def said(chart: Path | str, text: str, kubernetes: str | None = "v1.34.4") -> list[str]:
        path = tmp_path / "config.yaml"
        path.write_text(text)
        user, found = UserValues(path), anyio.run(charts.find, str(chart), None, Path())
        values = completed(user.values, Secrets(), HubSpec(), found)

        async def ask():
            return await refusals(HELM, found, user, values, release="lab", namespace="lab", kubernetes=kubernetes)

        return [str(each).rpartition(f"{tmp_path}/")[2] for each in anyio.run(ask)]

    return said


@pytest.fixture
def own(tmp_path, said):
    """The same of a chart of one's own, with this template."""

    def own(template: str, text: str = "{}\n", kubernetes: str | None = "v1.34.4") -> list[str]:
        for name, content in {**OWN, "templates/a.yaml": template}.items():
            (tmp_path / "own" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "own" / name).write_text(content)
        return said(tmp_path / "own", text, kubernetes)

    return own


REFUSES, BREAKS = "chart own 1.2.0 refuses these values", "chart own 1.2.0 cannot be rendered"


@pytest.mark.parametrize(
    ("template", "values", "error"),
    [
        ('{{ fail "not on Fridays" }}', "{}\n", f"config.yaml: {REFUSES}: not on Fridays"),
        (
            '{{ required "site.owner is needed" .Values.site.owner }}',
            "hub: {}\nsite:\n  name: x\n",
            f"config.yaml:2: {REFUSES}: site.owner is needed",
        ),
        (
            '{{ fail "bad: hosts[1].name\\n\\nsee the manual" }}',
            "hosts:\n- name: a\n- name: b\n",
            f"config.yaml:3: {REFUSES}: bad: hosts[1].name see the manual",
        ),
        (
            "{{ fail \"entries of extraThings need the key 'size'\" }}",
            "hub: {}\nsite:\n  extraThings: [1]\n",
            f"config.yaml:3: {REFUSES}: entries of extraThings need the key 'size'",
        ),
        (
            '{{ include "out" . }}',
            "a: 1\nx:\n",
            f"config.yaml:2: {BREAKS}: templates/_h.tpl:1: .Values.x.y.z: nil pointer evaluating interface {{}}.y",
        ),
        (
            "{{ .Values.a.text | b64enc }}",
            "a:\n  text: 3\n",
            f"config.yaml:2: {BREAKS}: templates/a.yaml:1: b64enc: wrong type for value; expected string; got float64",
        ),
        (
            "{{ range .Values.a.list }}{{ . }}{{ end }}",
            "a:\n  list: 3\n",
            f"config.yaml:2: {BREAKS}: templates/a.yaml:1: .Values.a.list: range can't iterate over 3",
        ),
        (
            "{{ tpl .Values.a . }}",
            'b: {}\na: "{{ .Values.b.c.d }}"\n',
            f"config.yaml:1: {BREAKS}: templates/a.yaml:1: .Values.b.c.d: nil pointer evaluating interface {{}}.d",
        ),
        (
            "a: {{ .Values.a }}",
            'a: "b: c: d"\n',
            f"config.yaml: {BREAKS}: templates/a.yaml does not become valid YAML: mapping values are not allowed in this "
            "context",
        ),
        ("{{ if }}", "{}\n", f"config.yaml: {BREAKS}: templates/a.yaml:1: missing value for if"),
    ],
)
def test_a_template_that_fails_is_one_line_in_its_own_words(own, template, values, error):
    assert own(template, values) == [error]


def test_each_key_that_a_template_refuses_has_its_line(own):
    words = "##### BREAKING #####\\n\\nCHANGED: b.old is b.new.\\n\\nCHANGED: a.old is\\na.new.\\n\\nSee the manual.\\n"
    assert own(f'{{{{ fail "{words}" }}}}', "a:\n  old: 1\nb: {old: 2}\n") == [
        f"config.yaml:3: {REFUSES}: CHANGED: b.old is b.new.",
        f"config.yaml:2: {REFUSES}: CHANGED: a.old is a.new. See the manual.",
    ]


@pytest.mark.parametrize(
    ("template", "line"), [('{{ required "site.owner is needed" .Values.site.owner }}', 4), ("{{ .Values.a.b.c }}", 6)]
)
def test_a_subchart_finds_its_values_under_its_name(own, tmp_path, template, line):
    own("a: 1")
    part = tmp_path / "own" / "charts" / "part"
    (part / "templates").mkdir(parents=True)
    (part / "Chart.yaml").write_text("apiVersion: v2\nname: part\nversion: 1.0.0\n")
    (part / "templates" / "a.yaml").write_text(template)
    (error,) = own("a: 1", "site: {}\na:\npart:\n  site:\n    name: x\n  a: {b: null}\n")
    assert error.startswith(f"config.yaml:{line}: chart own 1.2.0 ")


@pytest.mark.parametrize("words", ["/..", "...", "$.x [0] a.[1]", ".Values", "//", "a/.", "[[]].a"])
def test_words_that_look_like_keys_are_no_crash(own, words):
    assert own(f'{{{{ fail "{words}" }}}}', "a: {x: [1]}\n")[0].endswith(f"{REFUSES}: {words}")


def test_a_secret_that_a_template_prints_is_masked(own):
    printed = own("{{ toYaml .Values.db | fail }}", "db:\n  password: correct-horse\n")
    assert len(printed) == 1
    assert "correct-horse" not in printed[0]


def test_templates_see_the_release_the_namespace_and_the_kubernetes_version(own):
    template = '{{ printf "%s %s %s" .Release.Name .Release.Namespace .Capabilities.KubeVersion.Version | fail }}'
    assert own(template, kubernetes="v1.33.1") == [f"config.yaml: {REFUSES}: lab lab v1.33.1"]


def test_a_chart_for_other_versions_of_kubernetes(own):
    assert own("a: 1", kubernetes="v1.34.4") == []
    assert "incompatible with Kubernetes v1.36.0" in own("a: 1", kubernetes="v1.36.0")[0]
    assert own("a: 1", kubernetes="v1.34") == own("a: 1", kubernetes="v1.34.4-rancher1") == []
    assert own("a: 1", kubernetes=None) == own("a: 1", kubernetes="latest") == []


def test_helm_settings_of_the_person_change_nothing(own, monkeypatch, tmp_path):
    (tmp_path / "kubeconfig").write_text("a: [")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    monkeypatch.setenv("HELM_DEBUG", "1")
    assert own('{{ fail "no" }}') == [f"config.yaml: {REFUSES}: no"]


@pytest.mark.parametrize("answer", ["", "not "])
def test_apis_that_the_cluster_may_or_may_not_have_are_no_reason_to_refuse(own, answer):
    assert (
        own(f'{{{{ if {answer}(.Capabilities.APIVersions.Has "example.org/v1") }}}}{{{{ fail "no" }}}}{{{{ end }}}}')
        == []
    )


@pytest.mark.parametrize(
    "template",
    [
        '{{ if not (lookup "v1" "Secret" "lab" "mine") }}{{ fail "create the secret first" }}{{ end }}',
        '{{ $secret := lookup "v1" "Secret" "lab" "mine" }}{{ $secret.data.password }}',
    ],
)
def test_what_depends_on_the_resources_of_a_cluster_is_not_judged(own, template):
    assert own(template) == []


def test_values_are_blamed_in_templates_that_look_something_up_too(own):
    assert own('{{ $_ := lookup "v1" "Secret" "lab" "mine" }}{{ .Values.x.y.z }}', "x: {}\n")[0].startswith(
        "config.yaml:1"
    )


@pytest.mark.parametrize("chart", [CHART, *GIVEN_CHARTS])
def test_charts_of_hubs_render_with_their_defaults(said, chart):
    assert said(chart, "{}\n") == []


def test_what_the_embedded_chart_refuses(said):
    (error,) = said(CHART, "singleuser:\n  extraFiles:\n    a:\n      mountPath: /etc/a\n      data: {a: 1}\n")
    assert error.startswith("config.yaml:2: chart jupyterhub ")
    assert "refuses these values: extraFiles: data for /etc/a needs a path that ends in .yaml" in error


@pytest.mark.parametrize(
    ("https", "words"),
    [
        ("hosts: [h.example.org]", "proxy.https.letsencrypt.contactEmail is not set"),
        ("letsencrypt: {contactEmail: a@b.c}", "proxy.https.hosts is empty"),
    ],
)
def test_what_the_embedded_chart_needs_for_a_certificate(said, https, words):
    (error,) = said(CHART, f"hub: {{}}\nproxy:\n  https: {{enabled: true, {https}}}\n")
    assert error.startswith("config.yaml:3: chart jupyterhub ")
    assert words in error


@pytest.mark.parametrize("chart", GIVEN_CHARTS)
@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("proxy:\n  https: {enabled: true, hosts: [h.example.org]}\n", 2, "proxy.https.letsencrypt.contactEmail is"),
        ("proxy:\n  https: {enabled: true, type: manual}\n", 2, "proxy.https.manual.cert"),
        ("hub: {}\nrbac:\n  enabled: true\n", 3, "CHANGED: rbac.enabled must"),
        ("hub:\n  fsGid: 1000\n", 2, "CHANGED: hub.fsGid must"),
        ("hub:\n  db:\n    pvc: null\n", 3, ".Values.hub.db.pvc.annotations: nil pointer"),
        ("hub:\n  extraEnv:\n    A: x\n    B: [1]\n", 4, "extraEnv.B had an unexpected type"),
    ],
)
def test_what_zero_to_jupyterhub_refuses(said, chart, text, line, words):
    (error,) = said(chart, text)
    assert error.startswith(f"config.yaml:{line}: chart jupyterhub ")
    assert words in error
