"""The examples in the documentation: every YAML block is valid, and every command and option exists."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import anyio
import pytest
import typer
import yaml
from openstack.config import OpenStackConfig

from zerojhub import cli, deployment
from zerojhub.hub import charts, values

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *(page for page in (ROOT / "docs").rglob("*.md") if "workshops" not in page.parts),
]
FENCE = re.compile(
    r"^```(?P<language>\S+|\{code-block\} yaml\n:caption: (?P<caption>[^\n]*)\n)\n(?P<text>.*?)^```", re.M | re.S
)
LEAST = {"name": "workshop", "cluster": {"template": "kubernetes-1-33-jammy"}}
THREATS = ROOT / "docs" / "explanation" / "threat-model.md"
ROOT_COMMAND = typer.main.get_command(cli.app)


def blocks(kind: str) -> list:
    """The code blocks in a language, or YAML blocks with that caption, as parameters named after their page."""
    return [
        pytest.param(found["text"], id=f"{page.stem}-{number}")
        for page in PAGES
        for number, found in enumerate(FENCE.finditer(page.read_text()))
        if kind in (found["language"], found["caption"])
    ]


def test_every_yaml_block_says_which_file_it_is():
    for page in PAGES:
        if page.name != "README.md":  # where GitHub shows a caption as code
            assert "```yaml" not in page.read_text(), page


@pytest.mark.parametrize("text", [*blocks("hub.yaml"), *blocks("yaml")])
def test_a_hub_yaml_is_one(tmp_path, text):
    written = yaml.safe_load(text)
    whole = LEAST | written | {"cluster": LEAST["cluster"] | written.get("cluster", {})}
    if "contact" in whole.get("hub", {}):
        assert {"host", "https"} <= whole["hub"].keys()
    path = tmp_path / "hub.yaml"
    path.write_text(yaml.safe_dump(whole))
    deployment.load(path)


@pytest.fixture(scope="module")
def chart():
    return anyio.run(charts.find, "embedded", None, Path())


@pytest.mark.parametrize("text", blocks("config.yaml"))
def test_a_config_yaml_is_what_the_chart_takes(tmp_path, chart, text):
    path = tmp_path / "config.yaml"
    path.write_text(text.replace("YOUR-", "some-"))  # placeholders are refused
    user = values.UserValues(path)
    assert user.values
    assert values.problems(user, chart) == []


@pytest.mark.parametrize("text", blocks("clouds.yaml"))
def test_a_clouds_yaml_is_one(tmp_path, text):
    path = tmp_path / "clouds.yaml"
    path.write_text(text)
    for name in yaml.safe_load(text)["clouds"]:
        assert OpenStackConfig(config_files=[str(path)], load_envvars=False).get_one(name).get_auth_args()


@pytest.mark.parametrize("text", blocks("console"))
def test_every_command_is_there_with_its_options(text):
    for line in re.findall(r"(?:^\$ |^[\d */,-]+ )(zerojhub .*)", text, re.M):
        words = shlex.split(line, comments=True)[1:]
        ends = [words.index(end) for end in ("--", "|", "||") if end in words]
        words = words[: min(ends, default=len(words))]
        command, options = ROOT_COMMAND, set()
        context = typer.Context(command, info_name="zerojhub")
        while hasattr(command, "get_command"):
            options |= names(command, context)
            if not words:
                assert getattr(command, "invoke_without_command", False), line
                break
            while words[0].startswith("-"):
                words = words[2:]
            command, words = command.get_command(context, words[0]), words[1:]
            assert command, line
        if command.name == "helm":
            continue  # what follows is Helm's
        unknown = {word for word in words if word.startswith("-")} - options - names(command, context)
        assert not unknown, line


def names(command, context) -> set[str]:
    return {name for each in command.get_params(context) for name in (*each.opts, *each.secondary_opts)}


def threats() -> list[list[str]]:
    """The rows of the threat model: what could happen, what prevents it, its tests."""
    lines = [line.strip("|").split("|") for line in THREATS.read_text().splitlines() if line.startswith("|")]
    rows = [[cell.strip() for cell in line] for line in lines]
    return [row for row in rows if row[0] != "Threat" and set(row[0]) - set("- ")]


@pytest.mark.parametrize("row", threats(), ids=lambda row: row[0][:60])
def test_every_threat_has_tests_that_exist(row):
    threat, prevention, named = row
    assert threat
    assert prevention
    tests = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", named)
    assert tests
    assert named == ", ".join(f"`{path}::{name}`" for path, name in tests)
    for path, name in tests:
        assert re.search(rf"^(async )?def {name}\(", (ROOT / path).read_text(), re.M), f"{path}::{name}"
