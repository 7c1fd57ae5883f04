"""The chart: a bar for each command, and one for what a person would run instead."""

from __future__ import annotations

from collections.abc import Sequence

from zerojhub.report.svg import Drawing

STYLE = """
text { font-family: system-ui, sans-serif; fill: #1f2933; }
.page { fill: #ffffff; }
.quiet { fill: #616e7c; }
.ours { fill: #1b6ca8; }
.theirs { fill: #b8c4ce; }
"""
WIDTH, LEFT, RIGHT = 860, 250, 90
ROW, BAR = 58, 16
"""Height of a pair of bars with its space, and of a bar."""


def draw(pairs: Sequence[tuple[str, float, str, float]]) -> str:
    """The SVG file's text. A pair: what, its seconds, what a person would run instead, and its seconds."""
    said = "; ".join(f"{what} {ours:.2f} s, {instead} {theirs:.2f} s" for what, ours, instead, theirs in pairs)
    drawing = Drawing("How long commands take", f"Medians in seconds: {said}.", STYLE)
    height = 20 + ROW * len(pairs) + 16
    drawing.box(0, 0, WIDTH, height, "page", round=0)
    scale = (WIDTH - LEFT - RIGHT) / max(max(ours, theirs) for _, ours, _, theirs in pairs)
    for number, (what, ours, instead, theirs) in enumerate(pairs):
        y = 20 + ROW * number
        for down, words, seconds, kind in ((0, what, ours, "ours"), (BAR + 4, instead, theirs, "theirs")):
            drawing.text(12, y + down + 13, words, "quiet" if kind == "theirs" else "name", width=LEFT - 24)
            drawing.box(LEFT, y + down, max(seconds * scale, 1), BAR, kind, round=2)
            drawing.text(LEFT + seconds * scale + 8, y + down + 13, f"{seconds:.2f} s", "quiet")
    return drawing.finished(WIDTH, height)
