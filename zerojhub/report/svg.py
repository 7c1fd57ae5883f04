"""A drawing as SVG 1.1, of the few shapes that the map needs. Lengths are pixels, from the top left corner."""

from __future__ import annotations

from xml.etree import ElementTree

NAMESPACE = "http://www.w3.org/2000/svg"
LETTER = 0.6
"""The usual width of a letter, as a part of its height: of fonts that are there, not one that would have to come along."""


class Drawing:
    """Shapes in the order in which they are drawn, each with a class of the style sheet."""

    def __init__(self, title: str, description: str, style: str):
        self._root = ElementTree.Element("svg", xmlns=NAMESPACE, role="img")
        self._root.set("aria-labelledby", "title description")
        for tag, text in (("title", title), ("desc", description)):
            ElementTree.SubElement(self._root, tag, id="description" if tag == "desc" else tag).text = text
        ElementTree.SubElement(self._root, "style").text = style

    def box(self, x: float, y: float, width: float, height: float, kind: str, *, round: float = 10) -> None:
        self._add("rect", kind, x=x, y=y, width=width, height=height, rx=round)

    def disc(self, x: float, y: float, radius: float, kind: str) -> None:
        self._add("circle", kind, cx=x, cy=y, r=radius)

    def path(self, steps: str, kind: str) -> None:
        """`steps` as in the attribute d."""
        self._add("path", kind, d=steps)

    def text(self, x: float, y: float, words: str, kind: str, *, size: float = 14, width: float | None = None) -> None:
        """Words with their base line at y; what is wider than `width` is shortened in its middle."""
        self._add("text", kind, x=x, y=y, font_size=size).text = shortened(words, width, size)

    def finished(self, width: float, height: float) -> str:
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
    """The words, or their beginning and end where there is no room for all: the ends of names tell them apart."""
    most = int(width / (size * LETTER)) if width else len(words)
    if len(words) <= most:
        return words
    end = max(most // 2, 1)
    return f"{words[: max(most - end - 1, 1)]}…{words[-end:]}"
