"""Links and paging of lists, as in Magnum."""

from __future__ import annotations

from zerojhub.practice.cloud.magnum.errors import invalid
from zerojhub.practice.cloud.refusal import Refusal
from zerojhub.practice.cloud.store import Record
from zerojhub.practice.cloud.wire import Call, paged

MOST = 1000
"""How many records a page has at most, and without a limit (Magnum's option max_limit)."""


def links(call: Call, path: str) -> list[Record]:
    base = f"{call.origin}/container-infra"
    return [{"href": f"{base}/v1/{path}", "rel": "self"}, {"href": f"{base}/{path}", "rel": "bookmark"}]


def page(
    call: Call, kind: str, records: list[Record], lost: str, columns: tuple[str, ...], *, key: str = "uuid"
) -> tuple[list[Record], dict[str, str]]:
    """A page of records, and {"next": …} if there are more. `lost` names the kind in the error for an unknown marker.

    `columns`: what a list can be sorted by, besides `id` and times. `key`: the attribute that markers are values of.
    """
    limit, direction = call.query_params.get("limit"), call.query_params.get("sort_dir", "asc")
    if limit is not None:
        try:
            number = int(limit)
        except ValueError as error:
            raise invalid("limit", limit, f"unable to convert to int. Error: {error}") from None
        if number <= 0:
            raise Refusal(400, "Limit must be positive")
    if direction not in ("asc", "desc"):
        raise Refusal(400, f"Invalid sort direction: {direction}. Acceptable values are 'asc' or 'desc'")
    by = call.query_params.get("sort_key", "id")
    if by not in ("id", "created_at", "updated_at", *columns):
        raise Refusal(400, f'The sort_key value "{by}" is an invalid field for sorting')
    if by == "id" and direction == "desc":
        records = records[::-1]  # they are in the order in which they were created
    marker = call.query_params.get("marker")
    if marker and marker not in [str(record[key]) for record in records]:
        raise Refusal(404, f"{lost} {marker} could not be found.")
    size = min(int(limit or MOST), MOST)
    part, _ = paged(call, records, key=key, most=size)
    if len(part) != size:
        return part, {}
    sort = f"sort_key={by}&sort_dir={direction}"
    href = f"{call.origin}/container-infra/v1/{kind}?{sort}&limit={size}&marker={part[-1][key]}"
    return part, {"next": href}
