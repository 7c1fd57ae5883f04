"""What is sent to Designate, checked: bodies, filters, pages."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from zerojhub.practice.cloud.designate.errors import InvalidObject, invalid, unfit, unusable
from zerojhub.practice.cloud.designate.records import matches
from zerojhub.practice.cloud.refusal import Refusal
from zerojhub.practice.cloud.store import Record, words
from zerojhub.practice.cloud.wire import Call, rank

PAGE, MOST = 20, 1000
"""Objects of a page by default, and at most."""
LABEL = r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)"
ZONE_NAME, HOST_NAME = re.compile(rf"({LABEL}\.)+"), re.compile(rf"((\*|{LABEL})\.)({LABEL}\.)*")
TYPES = words("A AAAA CNAME MX SRV TXT SPF NS PTR SSHFP SOA NAPTR CAA CERT HTTPS SVCB TLSA")
"""Types of recordsets."""
MOST_SECONDS = 2147483647


def body_of(call: Call) -> Record:
    """The body. Raises Refusal: 415 for one that is not JSON, 400 for one that is no object."""
    if "json" not in call.headers.get("content-type", ""):
        raise Refusal(415, "Content-type must be application/json", "unsupported_content_type")
    if not isinstance(call.data, dict):
        raise invalid(f"Provided object is not valid. Got a AttributeError error with message {call.data}")
    return call.data


def uuid_of(call: Call, name: str) -> str:
    """The UUID in the path. Raises Refusal (400)."""
    given = call.path_params[name]
    try:
        return str(UUID(given))
    except ValueError:
        raise Refusal(400, f"Invalid UUID {name}: {given}", "invalid_uuid") from None


def checked(
    wanted: Record, kind: str, fields: dict[str, Callable[[Any], Any]], present: Record | None = None
) -> Record:
    """The fields of a zone or a recordset. Raises Refusal (400). `present`: what it is so far, whose name stays."""
    found, unknown = {}, []
    for key, value in wanted.items():
        if key not in fields:
            unknown.append(key)
        elif present and key in ("name", "type") and value != present[key]:
            raise unfit(kind, *unknown, key)
        else:
            found[key] = fields[key](value)
    if unknown:
        raise unfit(kind, *unknown)
    return found


def _name(what: str, pattern: re.Pattern[str]) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if value is None:
            raise unusable("Field `name' cannot be None")
        if not str(value).endswith("."):
            raise unusable(f"{what} {value} does not end with a dot")
        if not pattern.fullmatch(str(value)) or len(str(value)) > 255:
            raise unusable(f"{what} {value} is invalid")
        return value

    return check


def _ttl(value: Any) -> int | None:
    if value is None:
        return None
    try:
        seconds = int(value)
    except (TypeError, ValueError) as error:
        raise unusable(str(error)) from None
    if seconds < 0:
        raise unusable("Value must be >= 0 for field ttl")
    if seconds > MOST_SECONDS:
        raise unusable("Value too high for ttl")
    return seconds


def _description(value: Any) -> Any:
    if value is not None and len(str(value)) > 160:
        raise unusable("Value too long for description")
    return value


def _email(value: Any) -> Any:
    if value is not None and str(value).count("@") != 1:
        raise unusable(f"{value} is not an email")
    return value


def _list(value: Any) -> Any:
    if not isinstance(value, list):
        raise InvalidObject(["records"], f"'{value}' is not a valid list of records", "type", ["list"])
    return value


def _same(value: Any) -> Any:
    return value


ZONE = {
    "name": _name("Domain", ZONE_NAME),
    "email": _email,
    "description": _description,
    "ttl": _ttl,
    "type": _same,
    "attributes": _same,
    "masters": _same,
}
"""Fields of a zone that can be sent, with what checks them."""
RECORDSET = {
    "name": _name("Host name", HOST_NAME),
    "type": _same,
    "records": _list,
    "description": _description,
    "ttl": _ttl,
}
"""Those of a recordset."""


def check_zone(wanted: Record) -> None:
    """Raises Refusal (400) for a zone that lacks something."""
    if wanted.get("email") is None:
        raise InvalidObject(["type", "email"], "'email' is a required property", "required", "email")
    if "name" not in wanted:
        raise InvalidObject(["records", 0, "name"], "'name' is a required property", "required", ["name"])


def check_recordset(wanted: Record) -> None:
    """Raises Refusal (400) for a recordset of an unknown type, or with records of another type."""
    kind = wanted.get("type")
    if kind not in TYPES:
        raise InvalidObject(["recordset", "type"], f"'{kind}' is not a valid record type", "value", [kind])
    for number, record in enumerate(wanted.get("records", [])):
        if not _is_record(kind, record):
            raise InvalidObject(["records", number], f"'{record}' is not a '{kind}' Record", "format", [kind])


def _is_record(kind: str, data: Any) -> bool:
    """Whether it is an address of the type's family. Records of other types are taken as they are."""
    address = {"A": ipaddress.IPv4Address, "AAAA": ipaddress.IPv6Address}.get(kind)
    if address is None:
        return True
    try:
        address(str(data))
    except ValueError:
        return False
    return True


def listed(call: Call, name: str, records: list[Record], *, filters: str, keys: Sequence[str]) -> Record:
    """A page of the records: filtered by the query, sorted, with links. Raises Refusal (400)."""
    query = dict(call.query_params)
    marker, limit, key = (
        query.pop("marker", None),
        _limit(query.pop("limit", PAGE)),
        query.pop("sort_key", "created_at"),
    )
    direction = query.pop("sort_dir", "asc")
    if direction not in ("asc", "desc"):
        raise Refusal(400, "Unknown sort direction, must be 'desc' or 'asc'", "invalid_sort_dir")
    if key not in keys:
        raise Refusal(400, f"sort key must be one of {list(keys)}", "invalid_sort_key")
    if invalid_ones := [each for each in query if each not in words(filters)]:
        raise Refusal(400, f"Invalid filters {', '.join(invalid_ones)}", "bad_request")
    for each, pattern in query.items():
        records = [record for record in records if any(matches(pattern, value) for value in _values(record, each))]
    # Python's sort is stable: what was created first comes first.
    records = sorted(records, key=lambda record: rank(record.get(key)), reverse=direction == "desc")
    total = len(records)
    if marker is not None:
        records = records[_after(records, marker) :]
    page = records[:limit]
    links = {"self": _link(call, name, dict(call.query_params))}
    if len(page) == limit:
        links["next"] = _link(call, name, {**dict(call.query_params), "marker": page[-1]["id"]})
    return {name: [shown(call, name, each) for each in page], "links": links, "metadata": {"total_count": total}}


def shown(call: Call, name: str, record: Record) -> Record:
    """A zone or a recordset as Designate shows it, with a link to itself."""
    body = {key: value for key, value in record.items() if key != "managed"}
    place = f"zones/{record['zone_id']}/recordsets" if name == "recordsets" else "zones"
    return {**body, "links": {"self": f"{call.origin}/dns/v2/{place}/{record['id']}"}}


def _values(record: Record, name: str) -> list[Any]:
    return record["records"] if name == "data" else [record[name]]


def _limit(given: int | str) -> int:
    if str(given).lower() == "max":
        return MOST
    if not re.fullmatch(r"[1-9]\d*", str(given)):
        raise Refusal(400, f"limit should be an integer between 1 and {MOST}", "invalid_limit")
    return min(int(given), MOST)


def _after(records: list[Record], marker: str) -> int:
    """Where the page after this record begins. Raises Refusal (400)."""
    try:
        UUID(marker)
    except ValueError:
        raise Refusal(400, "", "invalid_marker") from None
    for number, record in enumerate(records, 1):
        if record["id"] == marker:
            return number
    raise Refusal(400, "Marker None could not be found", "marker_not_found")


def _link(call: Call, name: str, query: dict[str, str]) -> str:
    path = call.url.path.partition(f"/{name}")[0] + f"/{name}"
    return f"{call.origin}{path}?{urlencode(query)}".rstrip("?")
