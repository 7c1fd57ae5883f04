"""SVG 1.1 with the few shapes that the map needs. Lengths are pixels, from the top left corner."""

from __future__ import annotations

from xml.etree import ElementTree

from zerojhub.text import printable

NAMESPACE = "http://www.w3.org/2000/svg"
LETTER = 0.6
"""The average width of a letter relative to its height, in common system fonts."""


class Drawing:
    """Shapes in drawing order, each with a class of the style sheet."""

    def __init__(self, title: str, description: str, style: str):
        self._root = ElementTree.Element("svg", xmlns=NAMESPACE, role="img")
        self._root.set("aria-labelledby", "title description")
        for tag, text in (("title", title), ("desc", description)):
            ElementTree.SubElement(self._root, tag, id="description" if tag == "desc" else tag).text = printable(text)
        ElementTree.SubElement(self._root, "style").text = style

    def box(self, x: float, y: float, width: float, height: float, kind: str, *, round: float = 10) -> None:
        self._add("rect", kind, x=x, y=y, width=width, height=height, rx=round)

    def disc(self, x: float, y: float, radius: float, kind: str) -> None:
        self._add("circle", kind, cx=x, cy=y, r=radius)

    def path(self, steps: str, kind: str) -> None:
        """A path; `steps` is its attribute d."""
        self._add("path", kind, d=steps)

    def text(self, x: float, y: float, words: str, kind: str, *, size: float = 14, width: float | None = None) -> None:
        """Text with its base line at y, shortened in the middle if it is wider than `width`."""
        self._add("text", kind, x=x, y=y, font_size=size).text = shortened(printable(words), width, size)

    def finished(self, width: float, height: float) -> str:
        """The file's text, for a page of this size."""
        self._root.set("viewBox", f"0 0 {width:g} {height:g}")
        self._root.set("width", f"{width:g}")
        self._root.set("height", f"{height:g}")
        ElementTree.indent(self._root)
        return ElementTree.tostring(self._root, encoding="unicode") + "\n"

    def _add(self, tag: str, kind: str, **attributes: float | str) -> ElementTree.Element:
        given = {
            key.replace("_", "-"): value if isinstance(value, str) else f"{value:g}"
            for key, value in attributes.items()
        }
        return ElementTree.SubElement(self._root, tag, {"class": kind, **given})


def shortened(words: str, width: float | None, size: float) -> str:
    """The words, or their beginning and end if they do not fit: names of servers often differ only at the end."""
    most = int(width / (size * LETTER)) if width else len(words)
    if len(words) <= most:
        return words
    end = max(most // 2, 1)
    return f"{words[: max(most - end - 1, 1)]}…{words[-end:]}"
