"""Values that we read and send are those that Helm itself reads from the untouched file."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from tests.chart.rendering import HELM
from tests.unit.test_yamlfile import AS_GO_READS, same
from zerojhub.errors import UserError
from zerojhub.helm.template import readable
from zerojhub.yamlfile import load, plain
from zerojhub.yamlfile.compose import NO_SPACE

CHART = {
    "Chart.yaml": "apiVersion: v2\nname: values\nversion: 1.0.0\n",
    "templates/values.yaml": "kind: ConfigMap\napiVersion: v1\nmetadata: {name: values}\n"
    "data: {values: {{ .Values | toJson | b64enc }}}\n",
    "templates/files.yaml": "kind: ConfigMap\napiVersion: v1\nmetadata: {name: files}\ndata:\n"
    "{{ range $path, $_ := .Files.Glob `files/*` }}\n"
    "  {{ base $path }}: {{ $.Files.Get $path | fromYaml | toJson | b64enc }}\n{{ end }}\n",
}
"""A chart with two ConfigMaps: its values, and what Helm reads from files with the function it reads values with."""


@pytest.fixture(scope="module")
def chart(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("chart")
    for name, text in CHART.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    (folder / "files").mkdir()
    return folder


def rendered(chart: Path, *words: str, input: bytes = b"") -> dict[str, dict[str, Any]]:
    """The data of the chart's ConfigMaps, by their names."""
    done = subprocess.run([HELM, "template", "x", chart, *words], input=input, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    return {
        each["metadata"]["name"]: {
            name: json.loads(base64.b64decode(text)) for name, text in (each["data"] or {}).items()
        }
        for each in yaml.safe_load_all(done.stdout)
    }


def sent(text: bytes) -> bytes:
    """What Helm gets from us for a values file."""
    return readable(json.dumps(plain(load(text, "values")) or {}).encode())


@pytest.mark.parametrize("text", AS_GO_READS)
def test_a_values_file_means_the_same_to_helm(chart, tmp_path, text):
    (path := tmp_path / "values.yaml").write_bytes(text.encode())
    untouched = rendered(chart, "-f", str(path))["values"]["values"]
    assert same(AS_GO_READS[text], untouched)
    assert same(untouched, rendered(chart, "-f", "-", input=sent(text.encode()))["values"]["values"])


WORDS = [
    "yes", "no", "on", "off", "y", "n", "true", "False", "NULL", "~", "null", "0644", "0o644", "0O17", "08", "0b101", "0b-1",
    "0x1F", "0X1f", "1_000", "1__0", "1.10", "1.", ".5", ".5_0", "1e3", "1E-3", "170e405", "-0", "-0.0", "+1", "-1", "1:30",
    "190:20:30", "2026-01-31", "2026-01-31T10:00:00Z", "12:30", "20161216", "3.3.8", "v1.10", "10Gi", "500m", "0x", "0o9",
    "9007199254740993", "9223372036854775808", "18446744073709551615", "18446744073709551616", "0x1FFFFFFFFFFFFFFFF", "=",
    "<<", "<none>", "a#b", "http://x:80/", "quay.io/a/b:1.0", "''", '""', "'on'", '"1.10"', "'it''s'", "é", "日本", "🚀",
    '"\\x1b\\u00e9\\U0001F680"', "!!str 5", "!!int '7'", "!!float 7", "!!bool 'on'", "!mine 1", "! 1", "!!binary aGk=",
    "!!null ''",
]  # fmt: skip
SCALARS = st.one_of(
    st.sampled_from(WORDS),
    st.from_regex(r"[-+]?[0-9][0-9_]{0,6}(\.[0-9_]{0,4})?([eE][-+]?[0-9]{1,3})?", fullmatch=True),
    st.from_regex(r"[-+]?0[xXbBoO][0-9a-fA-F_]{1,18}", fullmatch=True),
    st.text(st.characters(codec="utf-8"), max_size=8).map(lambda text: json.dumps(text, ensure_ascii=False)),
    st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), max_size=8),
)
KEYS = st.one_of(
    st.sampled_from(["a", "b", "c d", "'q'", "on", "1.5", "1e7", "0644", "0x1F", "2026-01-31", "<b>"]), SCALARS
)


@st.composite
def documents(draw) -> bytes:
    """A file of values: nested mappings and lists in both styles, anchors and merge keys; some are not valid."""
    anchors: list[tuple[str, bool]] = []

    def flow(depth: int) -> str:
        kind = draw(st.integers(0, 5)) if depth else 0
        if kind == 4:
            return f"[{', '.join(flow(depth - 1) for _ in range(draw(st.integers(0, 3))))}]"
        if kind == 5:
            pairs = [f"{draw(KEYS)}: {flow(depth - 1)}" for _ in range(draw(st.integers(0, 3)))]
            return f"{{{', '.join(pairs)}}}"
        return draw(SCALARS)

    def block(indent: str, depth: int) -> str:
        lines = []
        for number in range(draw(st.integers(1, 4))):
            key = draw(st.one_of(st.just(f"k{number}"), KEYS))
            anchor = f"&n{len(anchors)} " if draw(st.integers(0, 5)) == 5 else ""
            kind = draw(st.integers(0, 9)) if depth else 0
            maps = [name for name, is_map in anchors if is_map]
            if kind == 4 and anchors:
                value, anchor = f"*{draw(st.sampled_from(anchors))[0]}", ""
            elif kind == 5 and maps:
                key, value, anchor = "<<", f"*{draw(st.sampled_from(maps))}", ""
            elif kind == 6:
                style = draw(st.sampled_from(["|", "|-", "|+", ">", ">-"]))
                words = draw(
                    st.lists(st.sampled_from(["line", "  more", "", "x: y", "# no", "{{ a }}"]), min_size=1, max_size=3)
                )
                value = f"{style}\n" + "\n".join(f"{indent}  {word}" for word in words)
            elif kind == 7:
                value = "\n" + "\n".join(f"{indent}- {flow(1)}" for _ in range(draw(st.integers(1, 3))))
            elif kind >= 8:
                value = "\n" + block(f"{indent}  ", depth - 1)
            else:
                value = flow(2)
            if anchor:
                anchors.append((anchor[1:-1], kind >= 8))
            lines.append(f"{indent}{key}: {anchor}{value}")
        return "\n".join(lines)

    text = block("", 3) + "\n"
    if draw(st.integers(0, 9)) == 9:
        text = draw(st.sampled_from(["---\n", "\ufeff", "# note\n"])) + text
    if draw(st.integers(0, 9)) == 9:
        text = text.replace("\n", "\r\n")
    return text.encode()


@settings(
    max_examples=max(2, settings().max_examples // 10),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)
@given(files=st.lists(documents(), min_size=20, max_size=40))
def test_generated_values_files_mean_the_same_to_helm(chart, files):
    ours: dict[str, bytes | UserError] = {}
    for number, text in enumerate(files):
        try:
            ours[f"f{number}"] = sent(text)
        except UserError as error:
            ours[f"f{number}"] = error
    for old in (chart / "files").iterdir():
        old.unlink()
    for number, text in enumerate(files):
        (chart / "files" / f"f{number}").write_bytes(text)
        if isinstance(json_text := ours[f"f{number}"], bytes):
            (chart / "files" / f"f{number}.sent").write_bytes(json_text)
    helms = rendered(chart)["files"]
    for name, text in ((f"f{number}", text) for number, text in enumerate(files)):
        refused = ours[name]
        if isinstance(refused, UserError):
            event("a file that both refuse" if helms[name].keys() == {"Error"} else "a file that only we refuse")
            # What Helm reads, but cannot have been meant.
            not_meant = any(each in refused.message for each in ("duplicate key", NO_SPACE))
            assert helms[name].keys() == {"Error"} or not_meant, (text, refused)
        else:
            event("a file that means the same to both")
            assert same(helms[name], helms[f"{name}.sent"]), text
