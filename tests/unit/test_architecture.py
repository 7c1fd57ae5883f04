"""Who imports whom, as the table on the architecture page allows it."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "contributing" / "architecture.md"
PACKAGE = "zerojhub"


@dataclass(frozen=True)
class Import:
    """One import of one module by another, both named below the package (`kube.client`; the package itself is "")."""

    importer: str
    imported: str
    place: str
    only_for_types: bool = False


def modules(root: Path) -> dict[str, Path]:
    """The file of each module. Folders whose names are no identifiers hold programs of their own."""
    files = {}
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        if all(part.isidentifier() for part in parts):
            files[".".join(parts).removesuffix("__init__").removesuffix(".")] = path
    return files


@functools.cache
def imports(root: Path) -> list[Import]:
    """Every import of a module below `root`, wherever it is written."""
    found, files = [], modules(root)
    for importer, path in files.items():
        nodes = list(statements(ast.parse(path.read_text()).body))
        for_types = {
            id(inner)
            for node in nodes
            if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
            for inner in statements(node.body)
        }
        package = importer if path.stem == "__init__" else importer.rpartition(".")[0]
        for node in nodes:
            if isinstance(node, ast.Import | ast.ImportFrom):
                place, only_for_types = f"{path.relative_to(root)}:{node.lineno}", id(node) in for_types
                found += [Import(importer, each, place, only_for_types) for each in named(node, package, files)]
    return found


def statements(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """These statements and all inside them. Expressions, which are most of a tree, have no imports."""
    for node in nodes:
        yield node
        for block in ("body", "orelse", "handlers", "finalbody", "cases"):
            yield from statements(getattr(node, block, ()))


def named(node: ast.Import | ast.ImportFrom, package: str, files: dict[str, Path]) -> Iterator[str]:
    """The modules that an import statement in `package` names; `from zerojhub.kube import client` names kube.client."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            if alias.name.partition(".")[0] == PACKAGE:
                yield alias.name.partition(".")[2]
    else:
        if node.level:
            parents = package.split(".") if package else []
            base = ".".join([*parents[: len(parents) - node.level + 1], *filter(None, [node.module])])
        elif (node.module or "").partition(".")[0] == PACKAGE:
            base = (node.module or "").partition(".")[2]
        else:
            return
        for alias in node.names:
            inner = f"{base}.{alias.name}".removeprefix(".")
            yield inner if inner in files else base


class Rules:
    """The two tables on the architecture page: rows from top to bottom, and packages with a list of their own."""

    def __init__(self, text: str):
        layers, listed = re.split(r"^\| Package \|.*\n\|[-| :]+\n", text, flags=re.MULTILINE)[1:]
        self.rows = {
            name: number for number, row in enumerate(self._rows(layers)) for name in re.findall(r"`([\w.]+)`", row[0])
        }
        self.listed = {
            name: (re.findall(r"`([\w.]+)`", row[1]), re.findall(r"`([\w.]+)`", row[2]))
            for row in self._rows(listed)
            for name in re.findall(r"`([\w.]+)`", row[0])
        }

    @staticmethod
    def _rows(table: str) -> list[list[str]]:
        lines = table.partition("\n\n")[0].splitlines()
        return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]

    def place(self, module: str) -> str | None:
        """The most specific package in the tables that the module is in."""
        while module and module not in self.rows and module not in self.listed:
            module = module.rpartition(".")[0]
        return module or None

    def allows(self, importer: str, imported: str) -> bool:
        above, below = self.place(importer), self.place(imported)
        if imported == "" or above is None or below is None:  # the package itself has the version only
            return imported == ""
        if above == below:
            return True
        if above in self.listed:
            return any(f"{imported}.".startswith(f"{name}.") for name in self.listed[above][0])
        if below in self.listed:
            return any(f"{importer}.".startswith(f"{name}.") for name in self.listed[below][1])
        return self.rows[above] < self.rows[below]

    def broken(self, root: Path) -> list[str]:
        found = (each for each in imports(root) if not self.allows(each.importer, each.imported))
        return list(dict.fromkeys(f"{each.place}: {each.importer} must not import {each.imported}" for each in found))


def cycle(root: Path) -> list[str]:
    """Modules that import each other in a circle when the program runs, in functions too; none when there is no such."""
    needs: dict[str, set[str]] = {}
    for each in imports(root):
        if not each.only_for_types:
            needs.setdefault(each.importer, set()).add(each.imported)
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        found: list[str] = error.args[1]
        return found
    return []


@pytest.fixture(scope="module")
def rules() -> Rules:
    return Rules(PAGE.read_text())


def test_the_page_names_every_package_that_there_is(rules):
    there = {name.partition(".")[0] for name in modules(ROOT / PACKAGE)} - {""}
    named = {name.partition(".")[0] for name in (*rules.rows, *rules.listed)}
    assert named == there


def test_imports_are_those_that_the_page_allows(rules):
    assert rules.broken(ROOT / PACKAGE) == []


def test_no_modules_import_each_other_in_a_circle():
    assert cycle(ROOT / PACKAGE) == []


IGNORED = re.compile(r"# ?(?:type: ?ignore|noqa)\b(?P<rest>.*)")
WITH_REASON = re.compile(r"(?:\[[\w, -]+\]|: [A-Z0-9, ]+) +[#(].*\w")


def test_whatever_is_ignored_names_the_rule_and_the_reason():
    bare = [
        f"{path.relative_to(ROOT)}:{number}"
        for folder in ("zerojhub", "charts", "docs/_ext", "tests")
        for path in (ROOT / folder).rglob("*.py")
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if (ignored := IGNORED.search(line)) and path != Path(__file__) and not WITH_REASON.match(ignored["rest"])
    ]
    assert bare == []


TABLES = """
| Package | Task |
| --- | --- |
| `high` | |
| `one`, `two` | |
| `low` | |

| Package | May import | May be imported by |
| --- | --- | --- |
| `apart` | `low.part` | `high.door` |
| `apart.more` | `low`, `apart` | `high.door` |

"""


@pytest.mark.parametrize(
    ("module", "line", "place"),
    [
        ("low/__init__.py", "from zerojhub import one", "low/__init__.py:1"),
        ("low/part.py", "from zerojhub.high.door import knock", "low/part.py:1"),
        ("low/part.py", "def later():\n    import zerojhub.two", "low/part.py:2"),
        ("low/part.py", "if TYPE_CHECKING:\n    from zerojhub.two import T", "low/part.py:2"),
        ("low/part.py", "from ..one import T", "low/part.py:1"),
        ("one/__init__.py", "from zerojhub.two import T", "one/__init__.py:1"),
        ("apart/__init__.py", "from zerojhub.low.other import T", "apart/__init__.py:1"),
        ("apart/more/__init__.py", "from zerojhub.one import T", "apart/more/__init__.py:1"),
        ("high/other.py", "from zerojhub.apart import T", "high/other.py:1"),
        ("new.py", "from zerojhub.low import T", "new.py:1"),
        ("high/door.py", "from zerojhub.one import T\nfrom zerojhub.apart.more import T", None),
        ("high/__init__.py", "from zerojhub import __version__, low\nfrom . import door", None),
        ("apart/more/__init__.py", "from zerojhub.low.other import T\nfrom zerojhub.apart import T", None),
        ("apart/__init__.py", "from zerojhub.low import part", None),
    ],
)
def test_a_forbidden_import_is_found_wherever_it_is_written(toy, module, line, place):
    (toy / module).write_text(line)
    assert [broken.partition(": ")[0] for broken in Rules(TABLES).broken(toy)] == ([place] if place else [])


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("from zerojhub.high.door import knock", True),
        ("def later():\n    from zerojhub.high import door", True),
        ("if TYPE_CHECKING:\n    from zerojhub.high import door", False),
    ],
)
def test_a_circle_is_found(toy, line, found):
    (toy / "high/door.py").write_text("import zerojhub.low.part")
    (toy / "low/part.py").write_text(line)
    assert bool(cycle(toy)) == found


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    for name in ("", "high", "high/door.py", "high/other.py", "one", "two", "low", "low/part.py", "low/other.py"):
        _touch(tmp_path / PACKAGE / name)
    for name in ("apart", "apart/more"):
        _touch(tmp_path / PACKAGE / name)
    return tmp_path / PACKAGE


def _touch(path: Path) -> None:
    file = path if path.suffix else path / "__init__.py"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
