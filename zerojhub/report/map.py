"""A deployment as an SVG map: users enter through the load balancer, and the proxy routes them to the hub and their servers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from zerojhub.report.svg import LETTER, Drawing
from zerojhub.text import plural

if TYPE_CHECKING:
    from zerojhub.cluster.survey import Pod, Server, Survey, Volume

T = TypeVar("T")
U = TypeVar("U")

WIDTH, MARGIN, GAP = 1120, 40, 24
CHIP = (146, 46)
"""Width and height of a pod or volume."""
SPACE = 12
"""Between chips, and around them in a card."""
HEAD = 62
"""Height of a card's header, with the server's name, flavor and addresses."""

STYLE = """
text { font-family: system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: #1f2430 }
.page { fill: #f6f7f9 } .card { fill: #fff; stroke: #d4d9e2 } .chip { fill: #fff; stroke: #d4d9e2 }
.late { fill: #fff8e6; stroke: #d99a00; stroke-dasharray: 4 3 }
.title { font-weight: 700 } .name { font-weight: 600 } .dim { fill: #5a6375 } .url { fill: #1257a8 }
.hub { fill: #d9601a } .proxy { fill: #1257a8 } .user { fill: #0d7a5f } .other { fill: #5a6375 }
.letter { fill: #fff; font-weight: 700; text-anchor: middle } .right { text-anchor: end }
.good { fill: #178a4c } .bad { fill: #c9302c } .slow { fill: #d99a00 }
.volume { fill: #e3e8f2; stroke: #5a6375 } .way { fill: none; stroke: #1257a8; stroke-width: 2.5 }
.head { fill: #1257a8 } .reach { fill: none; stroke: #1257a8; stroke-width: 1.5; opacity: .35 }
@media (prefers-color-scheme: dark) {
  text { fill: #e8ebf2 } .page { fill: #14171d } .card, .chip { fill: #1e232c; stroke: #3a4250 }
  .late { fill: #332a12; stroke: #d99a00 } .dim { fill: #a5aebf } .url { fill: #7ab3f5 }
  .volume { fill: #2c3442; stroke: #a5aebf } .way, .reach { stroke: #7ab3f5 } .head { fill: #7ab3f5 }
  .letter { fill: #fff }
}
"""
PEOPLE, GATE = 280, 330
"""Widths of the users at the top left, and of the entrance."""
FEW = 12
"""Up to this many users, the proxy has a line to each of them; beyond, one to each server."""
GOOD, BAD = ("Ready", "ACTIVE", "ONLINE"), ("NotReady", "ERROR", "OFFLINE")


class Spot(NamedTuple):
    """The top left corner of a chip."""

    x: float
    y: float

    @property
    def middle(self) -> tuple[float, float]:
        return self.x + CHIP[0] / 2, self.y + CHIP[1] / 2


def drawn(survey: Survey) -> str:
    """The map as the text of a self-contained SVG file, with a title and a description for screen readers."""
    drawing = Drawing(f"Map of {survey.name}", _description(survey), STYLE)
    workers = [server for server in survey.servers if server.role != "master"]
    layout = _Layout(top=226, across=3 if len(workers) > 2 else 2)
    cards = layout.cards(workers)
    cards += layout.band(
        "Kubernetes control plane", layout.cards, [each for each in survey.servers if each.role == "master"]
    )
    waiting = layout.band("Waiting for a node", layout.chips, survey.waiting)
    resting = layout.band("Unused volumes", layout.chips, survey.resting)
    height = layout.y + MARGIN - GAP

    drawing.box(0, 0, WIDTH, height, "page", round=0)
    _draw_head(drawing, survey)
    for title, y in layout.titles:
        drawing.text(MARGIN, y, title, "dim", size=13)
    for card in cards:
        _draw_card(drawing, card)
    pods = [(pod, place) for card in cards for pod, place in card.spots()]
    _draw_ways(drawing, survey, cards, pods)
    for pod, place in [*pods, *waiting]:
        _draw_pod(drawing, pod, place)
    for volume, place in resting:
        _draw_resting(drawing, volume, place)
    return drawing.finished(WIDTH, height)


class _Card(NamedTuple):
    """A server's card. The proxy is in its right column, below the entrance; the hub comes first at the left."""

    server: Server
    x: float
    y: float
    width: float
    height: float
    columns: int

    def spots(self) -> Iterator[tuple[Pod, Spot]]:
        pods = sorted(self.server.pods, key=lambda pod: (pod.kind != "hub", pod.user is not None, pod.user or pod.kind))
        rows = -(-len(pods) // self.columns)
        spots = [
            Spot(self.x + SPACE + column * (CHIP[0] + SPACE), self.y + HEAD + row * (CHIP[1] + SPACE))
            for row in range(rows)
            for column in range(self.columns)
        ]
        if proxy := next((pod for pod in pods if pod.kind == "proxy"), None):
            pods.remove(proxy)
            yield proxy, spots.pop(self.columns - 1)
        yield from zip(pods, spots, strict=False)


class _Layout:
    """Where things go, from the top of the page to the bottom."""

    def __init__(self, top: float, across: int):
        self.y, self.across = top, across
        self.titles: list[tuple[str, float]] = []

    def cards(self, servers: Sequence[Server]) -> list[_Card]:
        """Cards side by side; all cards of a row have the same height."""
        width = (WIDTH - 2 * MARGIN - (self.across - 1) * GAP) / self.across
        columns = int((width - SPACE) // (CHIP[0] + SPACE))
        made = []
        for start in range(0, len(servers), self.across):
            row = servers[start : start + self.across]
            lines = max(-(-len(server.pods) // columns) for server in row)
            height = HEAD + lines * (CHIP[1] + SPACE)
            made += [
                _Card(server, MARGIN + place * (width + GAP), self.y, width, height, columns)
                for place, server in enumerate(row)
            ]
            self.y += height + GAP
        return made

    def chips(self, things: Sequence[T]) -> list[tuple[T, Spot]]:
        """Chips side by side."""
        across = (WIDTH - 2 * MARGIN + SPACE) // (CHIP[0] + SPACE)
        made = [
            (thing, Spot(MARGIN + number % across * (CHIP[0] + SPACE), self.y + number // across * (CHIP[1] + SPACE)))
            for number, thing in enumerate(things)
        ]
        self.y += -(-len(things) // across) * (CHIP[1] + SPACE) - SPACE + GAP
        return made

    def band(self, title: str, arrange: Callable[[Sequence[T]], list[U]], things: Sequence[T]) -> list[U]:
        """Things below a title; nothing at all if there are none."""
        if not things:
            return []
        self.titles.append((title, self.y + 12))
        self.y += 24
        return arrange(things)


def _draw_head(drawing: Drawing, survey: Survey) -> None:
    drawing.text(MARGIN, 62, survey.name, "title", size=30, width=520)
    facts = (f"cluster {survey.cluster}", f"Kubernetes {survey.kubernetes}", f"cloud {survey.cloud}")
    drawing.text(MARGIN, 88, " · ".join(fact for fact in facts if "None" not in fact), "dim")
    if survey.url:
        drawing.text(WIDTH - MARGIN, 62, survey.url, "url right name", size=18, width=500)


def _draw_ways(drawing: Drawing, survey: Survey, cards: list[_Card], pods: list[tuple[Pod, Spot]]) -> None:
    """The lines from the users to the proxy, and from there to the hub and to each user's server."""
    proxy = next((place for pod, place in pods if pod.kind == "proxy"), None)
    x = min(max(proxy.middle[0] if proxy else 0, MARGIN + PEOPLE + GATE / 2), WIDTH - MARGIN - GATE / 2)
    number = len(survey.users)
    for place in range(3):
        _draw_person(drawing, MARGIN + 16 + 22 * place, 138)
    drawing.text(MARGIN + 78, 152, plural(number, "active user"), "name", size=15)
    drawing.box(x - GATE / 2, 118, GATE, 58, "card")
    _draw_gate(drawing, survey, x - GATE / 2)
    if survey.url:
        _arrow(drawing, f"M {MARGIN + 248} 147 H {x - GATE / 2 - 3:g}", x - GATE / 2, 147, "right")
    if proxy is None:
        return
    if number <= FEW:
        reached = [place for pod, place in pods if pod.user or pod.kind == "hub"]
        lines = [_bow(proxy.middle, place.middle) for place in reached]
    else:
        lines = [line for card in cards if card.server.pods and (line := _around(proxy, card))]
    for line in lines:
        drawing.path(line, "reach")
    to, top = proxy.middle[0], proxy.y
    _arrow(drawing, f"M {x:g} 176 V 190 C {x:g} 208 {to:g} 192 {to:g} 210 V {top - 3:g}", to, top, "down")


def _around(proxy: Spot, card: _Card) -> str | None:
    """A line from the proxy to another server's card, through the gaps between chips; None for its own card."""
    top = proxy.y - HEAD
    if card.y == top:
        edge = card.x + card.width if card.x < proxy.x else card.x
        inside = card.x <= proxy.x <= card.x + card.width
        return None if inside else f"M {proxy.middle[0]:g} {proxy.y:g} v -7 H {edge:g}"
    x, middle = proxy.x + CHIP[0] + SPACE / 2, card.x + card.width / 2
    return f"M {x - SPACE / 2:g} {proxy.middle[1]:g} H {x:g} V {card.y - GAP / 2:g} H {middle:g} V {card.y:g}"


def _draw_gate(drawing: Drawing, survey: Survey, x: float) -> None:
    """The entrance: a load balancer, or a port of the nodes."""
    if survey.balancers:
        balancer = survey.balancers[0]
        drawing.disc(x + 20, 141, 5, _light(balancer.state))
        drawing.text(x + 34, 146, f"Load balancer  {balancer.address or '(no address yet)'}", "name")
        drawing.text(x + 34, 165, f"{balancer.state.lower()} · {balancer.name}", "dim", size=12, width=GATE - 50)
    else:
        drawing.disc(x + 20, 141, 5, "good" if survey.url else "slow")
        drawing.text(x + 34, 146, "Node port" if survey.url else "Not reachable yet", "name")
        drawing.text(x + 34, 165, survey.url or "see: zerojhub status", "dim", size=12, width=GATE - 50)


def _draw_card(drawing: Drawing, card: _Card) -> None:
    server = card.server
    drawing.box(card.x, card.y, card.width, card.height, "card", round=14)
    drawing.disc(card.x + 20, card.y + 24, 5, _light(server.state))
    # The line to the proxy runs through the right of the header.
    width = card.width - 44 - (CHIP[0] / 2 + SPACE if any(pod.kind == "proxy" for pod in server.pods) else 0)
    drawing.text(card.x + 34, card.y + 29, server.name, "name", size=15, width=width)
    system = plural(server.system_pods, "system pod") if server.system_pods else ""
    facts = [fact for fact in (server.state, server.flavor, server.addresses, system) if fact and fact not in GOOD]
    while len(" · ".join(facts)) * 12 * LETTER > width and len(facts) > 1:
        facts.pop()  # the last fact matters least
    drawing.text(card.x + 34, card.y + 48, " · ".join(facts), "dim", size=12, width=width)


def _light(state: str) -> str:
    return "good" if state in GOOD else "bad" if state.split(",")[0] in BAD else "slow"


def _draw_pod(drawing: Drawing, pod: Pod, place: Spot) -> None:
    up = pod.state == "Running"
    drawing.box(*place, *CHIP, "chip" if up else "late")
    kind = pod.kind if pod.kind in ("hub", "proxy", "user") else "other"
    drawing.disc(place.x + 23, place.y + 23, 14, kind)
    name = pod.user or pod.kind
    drawing.text(place.x + 23, place.y + 28, name[0].upper(), "letter")
    drawing.text(place.x + 45, place.y + 20, name, "name", width=CHIP[0] - 52)
    if not up:
        drawing.text(place.x + 45, place.y + 37, pod.state.lower(), "dim", size=12)
    elif pod.volumes:
        _draw_volume(drawing, place.x + 46, place.y + 27)
        drawing.text(place.x + 64, place.y + 37, _size(pod.volumes), "dim", size=12)
    elif pod.kind == "proxy":
        drawing.text(place.x + 45, place.y + 37, "entrance", "dim", size=12)


def _draw_resting(drawing: Drawing, volume: Volume, place: Spot) -> None:
    drawing.box(*place, *CHIP, "chip")
    _draw_volume(drawing, place.x + 15, place.y + 14, scale=1.6)
    drawing.text(place.x + 45, place.y + 20, volume.owner, "name", width=CHIP[0] - 52)
    drawing.text(place.x + 45, place.y + 37, _size([volume]), "dim", size=12)


def _draw_volume(drawing: Drawing, x: float, y: float, *, scale: float = 1) -> None:
    """A cylinder, 12 wide and 11 high."""
    width, height, lid = 12 * scale, 8 * scale, 2.5 * scale
    body = f"M {x:g} {y + lid:g} v {height:g} a {width / 2:g} {lid:g} 0 0 0 {width:g} 0 v {-height:g}"
    drawing.path(
        f"{body} a {width / 2:g} {lid:g} 0 0 0 {-width:g} 0 a {width / 2:g} {lid:g} 0 0 0 {width:g} 0", "volume"
    )


def _draw_person(drawing: Drawing, x: float, y: float) -> None:
    drawing.disc(x, y, 7, "user")
    drawing.path(f"M {x - 11:g} {y + 24:g} a 11 13 0 0 1 22 0 z", "user")


def _arrow(drawing: Drawing, steps: str, x: float, y: float, way: str) -> None:
    """A line that ends in an arrowhead at x, y."""
    drawing.path(steps, "way")
    back = "l -8 -5 v 10 z" if way == "right" else "l -5 -8 h 10 z"
    drawing.path(f"M {x:g} {y:g} {back}", "head")


def _bow(start: tuple[float, float], end: tuple[float, float]) -> str:
    (x, y), (to_x, to_y) = start, end
    bend = max(40.0, abs(to_y - y) / 2)
    return f"M {x:g} {y:g} C {x:g} {y + bend:g} {to_x:g} {to_y + bend:g} {to_x:g} {to_y:g}"


def _size(volumes: Sequence[Volume]) -> str:
    return f"{sum(volume.size_gb or 0 for volume in volumes)} GB"


def _description(survey: Survey) -> str:
    """The map in words, for screen readers."""
    lines = [f"{survey.url or 'No URL yet'}, on cluster {survey.cluster}, {survey.cluster_state}."]
    lines += [f"Load balancer {each.address or each.name}: {each.state}." for each in survey.balancers]
    for server in survey.servers:
        pods = ", ".join(f"{pod.user}'s server" if pod.user else pod.kind for pod in server.pods)
        lines.append(f"{server.role.capitalize()} {server.name}, {server.state}: {pods or 'no pods of the hub'}.")
    if survey.waiting:
        lines.append(f"Waiting for a node: {', '.join(pod.user or pod.kind for pod in survey.waiting)}.")
    if survey.resting:
        lines.append(f"Unused volumes: {', '.join(volume.owner for volume in survey.resting)}.")
    return " ".join(lines)
