"""Rendering a chart with Helm on this machine, which needs no cluster, and what Helm says when it cannot."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from zerojhub.errors import MachineError
from zerojhub.machine import failure
from zerojhub.machine.local import LocalMachine
from zerojhub.text import one_line

TIMEOUT = 60
"""Seconds. Large charts take a tenth of one."""

SURROGATES = re.compile(rb"\\u(d[89ab]..)\\u(d[c-f]..)|\\.")
"""A character beyond U+FFFF as JSON escapes it; or any other escape."""

FAIL = re.compile(r"execution error at \((?P<file>\S+?):\d+(?::\d+)?\): ?")
"""What precedes the words of a template's `fail` or `required`."""
EXECUTING = re.compile(
    r'(?P<file>[^\s:]+):(?P<line>\d+)(?::\d+)?(?:: |\n\s+)executing ".*?" at <(?P<what>.*?)>:\s+', re.DOTALL
)
"""One for each template on the way to the one that failed. Helm 4 breaks their lines."""
PARSING = re.compile(r"parse error at \((?P<file>\S+?):(?P<line>\d+)(?::\d+)?\): ")
NOT_YAML = re.compile(r"YAML parse error on (?P<file>\S+): (?:error converting YAML to JSON: )?(?:yaml: )?")
SCHEMA = "values don't meet the specifications of the schema"


@dataclass(frozen=True)
class Refusal:
    """What Helm says against a chart and its values."""

    paragraphs: tuple[str, ...]
    """Each one line."""
    files: tuple[str, ...] = ()
    """The templates that took part, the innermost last, as paths in the chart, such as `templates/hub/secret.yaml`."""
    own_words: bool = False
    """Whether a template refused on purpose, so that the words are its author's."""
    expressions: tuple[str, ...] = ()
    """What the templates were evaluating, the innermost first, such as `.Values.hub.db.pvc.annotations`."""
    line: int | None = None
    """The line of the innermost of `files` where it failed."""


def readable(text: bytes) -> bytes:
    """JSON as Helm can read it: Helm reads YAML, which has no surrogate pairs."""
    return SURROGATES.sub(lambda found: json.loads(b'"%s"' % found[0]).encode() if found[1] else found[0], text)


async def refusal(
    program: str,
    chart: bytes,
    values: Mapping[str, object],
    *,
    release: str,
    namespace: str,
    kubernetes: str | None = None,
    apis: Sequence[str] = (),
) -> Refusal | None:
    """Render the packed chart with Helm, and return what it says against it; None if it renders.

    `kubernetes`: the version to render for (Helm's own default if None). `apis`: what a cluster serves besides Helm's
    built-in APIs, such as `cert-manager.io/v1`. Values are passed on standard input, so that no process list shows them.
    Raises MachineError if the program cannot be run, or ends without an answer.
    """
    with tempfile.NamedTemporaryFile(suffix=".tgz") as archive:
        archive.write(chart)
        archive.flush()
        argv = [program, "template", release, archive.name, "--namespace", namespace, "--values", "-", "--debug=false"]
        argv += ["--kube-version", kubernetes] if kubernetes else []
        argv += [word for api in apis for word in ("--api-versions", api)]
        result = await LocalMachine().run(
            argv, input=readable(json.dumps(values).encode()), timeout=TIMEOUT, check=False
        )
    if result.code and b"Error: " not in result.stderr:  # it was killed, or crashed
        raise MachineError(f"helm: {failure(result)}", where="this machine")
    return parse(result.stderr.decode(errors="replace")) if result.code else None


def parse(stderr: str) -> Refusal:
    """Helm's standard error without the chain of templates that it names before what is wrong."""
    said = stderr.partition("Error: ")[2] or stderr
    said = said.strip().removesuffix("Use --debug flag to render out invalid YAML").strip()
    if found := FAIL.search(said):
        file = _in_chart(found["file"])
        words = _paragraphs(said[found.end() :]) or (f"{file} fails without a message",)
        return Refusal(words, (file,), own_words=True)
    if chain := list(EXECUTING.finditer(said)):
        # A text that a template passes to `tpl` is a template without a file.
        where = next((link for link in reversed(chain) if "/" in link["file"]), chain[-1])
        place = f"{_in_chart(where['file'])}:{where['line']}"
        expressions = tuple(link["what"] for link in reversed(chain))
        what = one_line(f"{place}: {expressions[0]}: {said[chain[-1].end() :]}")
        files = tuple(_in_chart(link["file"]) for link in chain if "/" in link["file"])
        return Refusal((what,), files, expressions=expressions, line=int(where["line"]))
    if found := PARSING.search(said):
        file = _in_chart(found["file"])
        return Refusal((one_line(f"{file}:{found['line']}: {said[found.end() :]}"),), (file,))
    if found := NOT_YAML.search(said):
        file = _in_chart(found["file"])
        return Refusal((one_line(f"{file} does not become valid YAML: {said[found.end() :]}"),), (file,))
    if said.startswith(SCHEMA):
        return Refusal(tuple(_mistakes(said)))
    return Refusal((one_line(said),))


def _paragraphs(words: str) -> tuple[str, ...]:
    """The paragraphs, each as one line, without banners (lines of `#`) unless there is nothing else."""
    paragraphs = [paragraph for paragraph in re.split(r"\n\s*\n", words) if paragraph.strip(" \n#=*-")]
    plain = [
        paragraph for paragraph in paragraphs if not all(line.lstrip()[:1] == "#" for line in paragraph.split("\n"))
    ]
    return tuple(one_line(re.sub(r"#{3,}", "", paragraph)) for paragraph in plain or paragraphs)


def _mistakes(said: str) -> list[str]:
    """What the schemas reject: `- at '/hub/x': …` under the name of the chart, with more detail indented below it."""
    found: list[str] = []
    chart = ""
    for line in said.splitlines()[1:]:
        if line.startswith("- "):
            found.append(f"{chart}: {line[2:]}")
        elif line.startswith(" ") and found:
            found[-1] += f"; {line.strip().removeprefix('- ')}"
        elif line.strip():
            chart = line.strip().rstrip(":")
    return [one_line(each) for each in found] or [one_line(said)]


def _in_chart(file: str) -> str:
    """The path in the chart: Helm puts the chart's name before it."""
    return file.partition("/")[2] or file
