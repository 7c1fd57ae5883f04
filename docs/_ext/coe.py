"""Every `openstack coe` command and option, and what takes its place, as tables.

```{coe}
```
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from zerojhub.yamlfile import read_yaml

FILE = Path(__file__).parents[1] / "reference" / "coe.yaml"
COMMANDS = "coe "
"""The beginning of the keys that are commands; the others are options that many have in common."""


class Coe(SphinxDirective):
    """The file as MyST markdown: how many there are, the commands, and the options of each that have other names."""

    def run(self) -> list[Any]:
        for file in (str(FILE), __file__):
            self.env.note_dependency(file)
        return self.parse_text_to_nodes("\n".join(page(read_yaml(FILE))), allow_section_headings=True)


def page(table: dict[str, Any]) -> Iterator[str]:
    commands = {name: entry for name, entry in table.items() if name.startswith(COMMANDS)}
    options = [option for entry in table.values() for option in entry["options"].values()]
    lacking = [option for option in options if replacement("", option) is None]
    yield from ("## Commands", "")
    yield f"{len(commands)} commands, and {len(options)} options and arguments, of which {len(lacking)} have no counterpart."
    yield from ("", "| openstack | zerojhub | Options of the same name |", "| --- | --- | --- |")
    for name, entry in commands.items():
        same = ", ".join(f"`{option}`" for option, value in entry["options"].items() if value == "same")
        note = f", {entry['note']}" if "note" in entry else ""
        yield f"| `{name}` | `{entry['here']}`{note} | {same} |"
    for name, entry in table.items():
        # Arguments without a remark are in the same order, as the usage of both shows.
        others = {
            option: value
            for option, value in entry["options"].items()
            if value != "same" and (option.startswith("-") or isinstance(value, dict))
        }
        if others:
            yield from ("", f"## {name}", "", f"| `{name}` | `{entry['here']}` | |", "| --- | --- | --- |")
            for option, value in others.items():
                here = replacement(option, value)
                yield f"| `{option}` | {f'`{here}`' if here else ''} | {explanation(value)} |"


def replacement(option: str, value: Any) -> str | None:
    """The option or argument that takes its place."""
    if isinstance(value, str):
        return option if value == "same" else value
    here: str | None = value.get("here")
    return here


def explanation(value: Any) -> str:
    return "" if isinstance(value, str) else str(value.get("note") or value["why"])


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("coe", Coe)
    return {"parallel_read_safe": True}
