"""What a chart's templates refuse, with the line of the values file that it is about where the words name a key."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import takewhile
from typing import Any

from zerojhub import masking
from zerojhub.errors import UserError
from zerojhub.helm.template import Refusal, refusal
from zerojhub.hub.charts import ChartArchive, ChartValues
from zerojhub.hub.values import UserValues
from zerojhub.yamlfile import KeyPath, items

ASKED_API = re.compile(r'APIVersions\.Has\s+"([^"]+)"')
LOOKS_UP = re.compile(r'[({\s|]lookup\s+["($.]')
VERSION = re.compile(r"v?\d+\.\d+(\.\d+)?([-+].*)?")
DOTTED = re.compile(r"[A-Za-z_$][\w-]*(?:\.[\w-]+|\[\d+\])+|(?:/[\w.~-]+)+")
"""A place in the values: `.Values.hub.db`, `hub.db`, `hosts[0].name`, or a JSON pointer."""
SUBCHART = re.compile(r"(?:^|/)charts/([^/]+)/")
VALUES = re.compile(r"\.Values\.([\w.]+)")
WORD = re.compile(r"[a-z]+[A-Z]\w*|(?<=['\"`])\w+(?=['\"`])")
"""A word that is meant as a key: `extraFiles`, or one in quotes."""


async def refusals(
    program: str,
    chart: ChartArchive,
    user: UserValues,
    values: ChartValues,
    *,
    release: str,
    namespace: str,
    kubernetes: str | None,
) -> list[UserError]:
    """What Helm says against the chart with these values, made from the user's, on that Kubernetes version.

    A cluster that does not exist cannot be asked for its APIs, nor for the resources that templates look up. So the chart may
    be rendered with or without the APIs that it asks for, and nothing is said of templates that look something up.
    """
    if kubernetes and not VERSION.fullmatch(kubernetes):
        kubernetes = None  # a tag such as `latest`
    apis = sorted({api for text in chart.templates.values() for api in ASKED_API.findall(text)})
    refused = None
    for served in [apis, []] if apis else [[]]:
        refused = await refusal(
            program, chart.content, values, release=release, namespace=namespace, kubernetes=kubernetes, apis=served
        )
        if refused is None:
            return []
    assert refused
    if kubernetes is None and refused.paragraphs[0].startswith("chart requires kubeVersion"):
        return []  # Helm's default, which is nobody's
    reads_values = ".Values." in "".join(refused.expressions[:1])
    if not reads_values and any(LOOKS_UP.search(chart.templates.get(file, "")) for file in refused.files):
        return []
    return list(_errors(refused, chart, user))


def _errors(refused: Refusal, chart: ChartArchive, user: UserValues) -> Iterator[UserError]:
    """An error for each paragraph about another key; those about none continue the one before."""
    verb = "refuses these values" if refused.own_words else "cannot be rendered"
    said: list[tuple[KeyPath, str]] = []
    subchart, document = _values_of(user.document, refused.files[-1] if refused.files else "")
    for paragraph in refused.paragraphs:
        if refused.own_words or not refused.files:
            place = _named(document, paragraph)
        else:
            place = _read(document, refused, chart)
        place = place and (*subchart, *place)
        if said and (place in ((), said[-1][0]) or said[-1][0] == ()):
            before, words = said.pop()
            place, paragraph = before or place, f"{words} {paragraph}"
        said.append((place, paragraph))
    for place, text in said:
        where = user.where(place) if place else str(user.path or chart.source)
        # A template may print any value.
        yield UserError(f"chart {chart.name} {chart.version} {verb}: {masking.mask_known(text)}", where=where)


def _values_of(document: Any, file: str) -> tuple[KeyPath, Any]:
    """Where the document has the values of the subchart that the template is in, and these values."""
    names = SUBCHART.findall(file)
    place = _present(document, names)
    if len(place) < len(names):
        return (), document
    for step in place:
        document = document[step]
    return place, document


def _named(document: Any, text: str) -> KeyPath:
    """The key of the document that the text names most precisely; empty if it names none."""
    names = [[step for step in re.split(r"[./\[\]]", name) if step] for name in DOTTED.findall(text)]
    names = [steps[1:] if steps[:1] in (["$"], ["Values"]) else steps for steps in names]
    best = max((_present(document, steps) for steps in names), key=len, default=())
    if best:
        return best
    names += [[word] for word in WORD.findall(text)]
    names = [steps for steps in names if steps]
    places = list(_places(document))
    for length in sorted({len(steps) for steps in names}, reverse=True):
        ends = {tuple(steps) for steps in names if len(steps) == length}
        if found := [place for place in places if place[-length:] in ends]:
            # Several keys are meant together, or one of them: they have this much in common.
            levels = takewhile(lambda level: len(set(level)) == 1, zip(*found, strict=False))
            return tuple(level[0] for level in levels)
    return ()


def _read(document: Any, refused: Refusal, chart: ChartArchive) -> KeyPath:
    """The key of the document that the failed expression reads, or else the only one on the template's line."""
    for text in refused.expressions:
        if found := _reads(document, text):
            return found[0]
    if refused.line:
        line = chart.templates.get(refused.files[-1], "").splitlines()[refused.line - 1 : refused.line]
        if len(found := _reads(document, *line)) == 1:
            return found[0]
    return ()


def _reads(document: Any, text: str = "") -> list[KeyPath]:
    """The keys of the document that a template's text reads."""
    places = (_present(document, path.split(".")) for path in VALUES.findall(text))
    return list(dict.fromkeys(filter(None, places)))


def _present(document: Any, steps: Sequence[str]) -> KeyPath:
    """The first of these steps, as far as the document has them."""
    place: list[str | int] = []
    for step in steps:
        if isinstance(document, dict) and step in document:
            place.append(step)
            document = document[step]
        elif isinstance(document, list) and step.isdigit() and int(step) < len(document):
            place.append(int(step))
            document = document[int(step)]
        else:
            break
    return tuple(place)


def _places(document: Any, place: KeyPath = ()) -> Iterator[KeyPath]:
    """Every key of the document."""
    for key, child in items(document):
        if isinstance(document, dict):
            yield (*place, key)
        yield from _places(child, (*place, key))
