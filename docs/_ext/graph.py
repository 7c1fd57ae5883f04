"""The graph of the stages as a picture: each box stands right of what it needs."""

from __future__ import annotations

from itertools import groupby

from zerojhub.journey import upstream
from zerojhub.report.svg import Drawing
from zerojhub.stages import STAGES, Stage

BOX, GAP, MARGIN = (104, 34), (44, 18), 8
STYLE = """
text { font-family: system-ui, sans-serif; fill: #1f2430; text-anchor: middle }
.box { fill: #eef2f9; stroke: #1257a8 } .line { fill: none; stroke: #1257a8; stroke-width: 1.5 }
@media (prefers-color-scheme: dark) {
  text { fill: #e8ebf2 } .box { fill: #1e2a3c; stroke: #7ab3f5 } .line { stroke: #7ab3f5 }
}
"""


def drawn() -> str:
    """An SVG picture of STAGES."""
    words = ". ".join(f"{stage.name} needs {', '.join(need.name for need in stage.needs)}" for stage in STAGES[1:])
    drawing = Drawing("The stages, and what each needs", f"{words}.", STYLE)
    places, height = {}, 0.0
    for column, stages in groupby(sorted(STAGES, key=column_of), key=column_of):
        for row, stage in enumerate(stages):
            places[stage] = (MARGIN + column * (BOX[0] + GAP[0]), MARGIN + row * (BOX[1] + GAP[1]))
            height = max(height, places[stage][1] + BOX[1] + MARGIN)
    for stage in STAGES:
        x, y = places[stage][0], places[stage][1] + BOX[1] / 2
        for need in direct(stage):
            from_x, from_y = places[need][0] + BOX[0], places[need][1] + BOX[1] / 2
            bend = from_x + GAP[0] / 2  # up or down at once, then on in the row of the stage, where no other box stands
            drawing.path(f"M {from_x} {from_y} C {bend} {from_y} {bend} {y} {from_x + GAP[0]} {y} H {x}", "line")
    for stage, (x, y) in places.items():
        drawing.box(x, y, *BOX, "box", round=8)
        drawing.text(x + BOX[0] / 2, y + 22, stage.name, "name")
    return drawing.finished(max(x for x, _ in places.values()) + BOX[0] + MARGIN, height)


def column_of(stage: type[Stage]) -> int:
    """Just before the first stage that needs it; after all that it needs, when none does."""
    following = [column_of(other) for other in STAGES if stage in other.needs]
    return min(following) - 1 if following else depth(stage)


def depth(stage: type[Stage]) -> int:
    """How many stages are before it, one after another."""
    return 1 + max(map(depth, stage.needs)) if stage.needs else 0


def direct(stage: type[Stage]) -> list[type[Stage]]:
    """What it needs, but for what those need already."""
    return [need for need in stage.needs if not any(need in upstream(other) for other in stage.needs)]
