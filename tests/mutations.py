"""Data with something wrong in it: a key that is missing, null, or a value of another type."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import strategies as st

OTHERS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 10**6),
    st.floats(allow_nan=False),
    st.text(max_size=5),
    st.sampled_from(["\ud800", "-1", "1e9", "2026-01-31", "a\nb", "~", "/", "null"]),
    st.just([]),
    st.just({}),
    st.just([None]),
    st.just([{}]),
    st.just({"": None}),
    st.just([[]]),
)
"""Whatever else could be there."""


def mutated(data: Any, *, most: int = 2) -> st.SearchStrategy[Any]:
    """The data with one mistake, or with up to `most`."""

    @st.composite
    def changed(draw: st.DrawFn) -> Any:
        result = copy.deepcopy(data)
        for _ in range(draw(st.integers(1, most))):
            result = _with_a_mistake(draw, result)
        return result

    return changed()


def _with_a_mistake(draw: st.DrawFn, data: Any) -> Any:
    places = list(_places(data))
    place = draw(st.sampled_from(places))
    if not place:
        return copy.deepcopy(draw(OTHERS))
    node = data
    for step in place[:-1]:
        node = node[step]
    if draw(st.booleans()):
        node[place[-1]] = copy.deepcopy(draw(OTHERS))
    else:
        del node[place[-1]]
    return data


def _places(data: Any, above: tuple[Any, ...] = ()) -> Any:
    yield above
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for step, value in items:
        yield from _places(value, (*above, step))
