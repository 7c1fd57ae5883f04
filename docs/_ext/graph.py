"""The dependency graph of the stages as an SVG image: each box is to the right of those it needs."""

from __future__ import annotations

from itertools import groupby

from zerojhub.graph import AnyStage, upstream
from zerojhub.report.svg import Drawing
from zerojhub.stages import STAGES

BOX, GAP, MARGIN = (104, 34), (44, 18), 8
STYLE = """
text { font-family: system-ui, sans-serif; fill: #1f2430; text-anchor: middle }
.box { fill: #eef2f9; stroke: #1257a8 } .line { fill: none; stroke: #1257a8; stroke-width: 1.5 }
@media (prefers-color-scheme: dark) {
  text { fill: #e8ebf2 } .box { fill: #1e2a3c; stroke: #7ab3f5 } .line { stroke: #7ab3f5 }
}
"""


def drawn() -> str:
    """The graph of STAGES as an SVG document."""
    words = ". ".join(f"{stage.name} needs {', '.join(need.name for need in stage.needs)}" for stage in STAGES[1:])
    drawing = Drawing("The stages and their dependencies", f"{words}.", STYLE)
    places, height = {}, 0.0
    for column, stages in groupby(sorted(STAGES, key=column_of), key=column_of):
        for row, stage in enumerate(stages):
            places[stage] = (MARGIN + column * (BOX[0] + GAP[0]), MARGIN + row * (BOX[1] + GAP[1]))
            height = max(height, places[stage][1] + BOX[1] + MARGIN)
    for stage in STAGES:
        x, y = places[stage][0], places[stage][1] + BOX[1] / 2
        for need in direct(stage):
            from_x, from_y = places[need][0] + BOX[0], places[need][1] + BOX[1] / 2
            bend = (
                from_x + GAP[0] / 2
            )  # bend at once, then run along the row of the stage, which has no other box there
            drawing.path(f"M {from_x} {from_y} C {bend} {from_y} {bend} {y} {from_x + GAP[0]} {y} H {x}", "line")
    for stage, (x, y) in places.items():
        drawing.box(x, y, *BOX, "box", round=8)
        drawing.text(x + BOX[0] / 2, y + 22, stage.name, "name")
    return drawing.finished(max(x for x, _ in places.values()) + BOX[0] + MARGIN, height)


def column_of(stage: AnyStage) -> int:
    """The column before the first stage that needs it; if none does, the column after its own dependencies."""
    following = [column_of(other) for other in STAGES if stage in other.needs]
    return min(following) - 1 if following else depth(stage)


def depth(stage: AnyStage) -> int:
    """The length of the longest chain of dependencies before it."""
    return 1 + max(map(depth, stage.needs)) if stage.needs else 0


def direct(stage: AnyStage) -> list[AnyStage]:
    """Its dependencies, without those that others of them already imply."""
    return [need for need in stage.needs if not any(need in upstream(other) for other in stage.needs)]
