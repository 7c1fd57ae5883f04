"""Mistakes in a user's values: what the chart's schema rejects, keys that have moved, and what nobody has filled in."""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from zerojhub import masking
from zerojhub.errors import UserError
from zerojhub.hub.moved import moved
from zerojhub.placeholders import placeholder, placeholder_in
from zerojhub.text import nearest
from zerojhub.yamlfile import KeyPath, go, items, written

if TYPE_CHECKING:
    from jsonschema import ValidationError

    from zerojhub.hub.charts import ChartArchive
    from zerojhub.hub.values import UserValues

Mistakes = Iterator[tuple[KeyPath, UserError]]
"""Each with the place of its key in the values."""

SECTIONS = {"hub", "proxy", "singleuser"}
OPTIONAL = re.compile(r"(SecurityContext|Strategy|Labels)$")
"""Sections that charts can do without."""
CREDENTIAL = re.compile(r"(?i)(password|passwd|secret|token|client_?id|secret_?key)$")
"""Keys whose value is text that someone was given or has chosen."""
SECRET = re.compile(rf"(?i){masking.SECRET_NAME.pattern}|(client_?id|keys?|url)$")
"""Keys whose values are never shown; a database's URL may have its password."""
ADDRESS = re.compile(r"(?i)(hosts?|hostnames|contactEmail|callback_url)$")
USERS = re.compile(r"(allowed|admin|blocked)_users$")
ALLOWED = re.compile(r"^(allowed|admin|blocked)_\w+$")
"""Users, groups and organizations."""
CONFIGURED = {"hub", "proxy", "ingress", "httpRoute", "imagePullSecret", "auth"}
"""Sections in which placeholders are mistakes; users' environments and files may be templates."""
TEMPLATES = {
    "extraConfig",
    "extraFiles",
    "extraEnv",
    "templateVars",
    "annotations",
    "initContainers",
    "extraContainers",
}


def umbrella(user: UserValues, chart: ChartArchive) -> UserError | None:
    """The error for values of a chart that has this one as a dependency; None if they are not."""
    if not _is_hub(chart.defaults):
        return None
    for key, section in user.values.items():
        if key in chart.defaults or not isinstance(section, dict):
            continue
        inside = {(key,): section, (key, "jupyterhub"): section.get("jupyterhub")}
        place = next((place for place, values in inside.items() if _is_hub(values)), None)
        if place or key == "jupyterhub":
            name = _dotted(place or (key,))
            return UserError(
                f"these are the values of an umbrella chart, with those of {chart.name} in {name}",
                where=user.where((key,)),
                hint=f"give what is below `{name}:`",
            )
    return None


def _is_hub(values: Any) -> bool:
    return isinstance(values, dict) and any(isinstance(values.get(section), dict) for section in SECTIONS)


def moved_keys(user: UserValues, chart: ChartArchive) -> Mistakes:
    """Keys of older Zero to JupyterHub charts."""
    if chart.name != "jupyterhub":
        return
    for place, became in moved(user.values, chart.version):
        yield place, UserError(f"unknown key {_dotted(place)}", where=user.where(place), hint=became)


def empty_sections(user: UserValues, chart: ChartArchive) -> Mistakes:
    """Sections with nothing in them. For Helm that is null, which removes the defaults."""
    for place, value in _sections(user.values, chart.defaults):
        if value is None and len(place) <= 2 and not OPTIONAL.search(_key(place)):
            message = f"{_dotted(place)} is empty, which removes the chart's defaults for it"
            hint = f"remove the line, or write {_key(place)}: {{}}"
            yield place, UserError(message, where=user.where(place), hint=hint)
        elif value is not None and not isinstance(value, dict) and not chart.schema:
            message = f"{_dotted(place)}: must be object{_shown(user, place, value)}"
            yield place, UserError(message, where=user.where(place))


def _sections(values: Any, defaults: Any, place: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    """The values that stand where the defaults have a mapping, each with its place."""
    for key in values if isinstance(values, dict) else ():
        if isinstance(default := defaults.get(key), dict) and default:
            yield (*place, key), values[key]
            yield from _sections(values[key], default, (*place, key))


def misplaced_settings(user: UserValues, chart: ChartArchive) -> Mistakes:
    """What is not a class of JupyterHub's with its settings in hub.config, which schemas accept and the hub fails on."""
    hub = user.values.get("hub")
    config = hub.get("config") if isinstance(hub, dict) else None
    for key, value in config.items() if isinstance(config, dict) else ():
        place, hint = ("hub", "config", key), None
        if not key[:1].isupper():
            message = f"unknown key {_dotted(place)}"
            known = chart.defaults.get("hub", {})
            hint = (
                f"did you mean hub.{key}?" if key in known else "keys are classes of JupyterHub, such as Authenticator"
            )
        elif value is None:
            message, hint = f"{_dotted(place)} is empty", "remove the line"
        elif not isinstance(value, dict):
            message = f"{_dotted(place)}: must be object{_shown(user, place, value)}"
        else:
            continue
        yield place, UserError(message, where=user.where(place), hint=hint)


def unfinished(user: UserValues) -> Mistakes:
    """Placeholders where a value belongs, and numbers where JupyterHub expects text."""
    for place, value in _scalars(user.values):
        if place[0] not in CONFIGURED or TEMPLATES & set(place):
            continue
        credential, address = _is_credential(place), ADDRESS.search(_key(place))
        if isinstance(value, str):
            unfilled = (
                placeholder_in(value)
                if address and not credential
                else placeholder(value)
                if credential or ALLOWED.search(_key(place))
                else None
            )
            if unfilled:
                message = f"{_dotted(place)}: the placeholder {unfilled} has not been filled in"
                yield place, UserError(message, where=user.where(place))
        elif value is None or place[:2] != ("hub", "config"):
            continue
        elif USERS.search(_key(place)) or (credential and not isinstance(value, bool)):  # some_token: true is a switch
            yield place, UserError(f"{_dotted(place)}: {_in_quotes(user, place)}", where=user.where(place))


def _scalars(value: Any, place: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    if not isinstance(value, dict | list):
        yield place, value
    for key, each in items(value):
        yield from _scalars(each, (*place, key))


def as_numbers(document: Any) -> Any:
    """The document with numbers beyond the range of a double as infinite.

    Helm takes `170e405` for text, because it has no such number; other readers of YAML do not.
    """
    if isinstance(document, dict):
        return {key: _as_number(document, key) for key in document}
    return [_as_number(document, index) for index in range(len(document))]


def _as_number(document: Any, key: str | int) -> Any:
    value, text = document[key], written(document, (key,))
    if isinstance(value, str):
        return math.inf if text and go.FLOAT.fullmatch(text) else value
    return as_numbers(value) if isinstance(value, dict | list) else value


def rejected_by_schema(user: UserValues, chart: ChartArchive, values: dict[str, Any]) -> Mistakes:
    """What the chart's schema rejects in the user's values, which `values` are with the chart's defaults."""
    if not chart.schema:
        return
    # jsonschema imports it, if installed, to check IRIs, which charts do not have; that import takes over a second.
    # None makes the import fail.
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]  # documented, but not in typeshed
    from jsonschema import Draft7Validator
    from jsonschema.validators import validator_for

    for error in validator_for(chart.schema, default=Draft7Validator)(chart.schema).iter_errors(values):
        yield from _explain(user, error, chart.schema)


def _explain(user: UserValues, error: ValidationError, schema: Any) -> Mistakes:
    """A schema error as the places of its mistakes, each with an actionable error."""
    place = tuple(error.absolute_path)
    if error.validator == "additionalProperties" and isinstance(error.instance, dict):
        known = list(_part(error).get("properties", {}))
        for key in (key for key in error.instance if key not in known):
            there = (*place, key)
            meant = _elsewhere(there, schema) or nearest(key, known)
            hint = f"did you mean {meant!r}?" if meant else f"known keys: {', '.join(sorted(known)[:12])}"
            yield there, UserError(f"unknown key {_dotted(there)}", where=user.where(there), hint=hint)
        return
    if "propertyNames" in error.absolute_schema_path:
        there = (*place, str(error.instance))
        yield there, UserError(f"unknown key {_dotted(there)}", where=user.where(there))
        return
    if error.validator == "required" and isinstance(error.instance, dict):
        required: Any = error.validator_value
        for there in ((*place, key) for key in required if key not in error.instance):
            yield there, UserError(f"missing key {_dotted(there)}", where=user.where(there))
        return
    if error.context:
        # Of several alternatives, the one that matches deepest into the value is the one that was meant.
        likeliest = max(error.context, key=lambda each: (len(each.absolute_path), -len(each.message)))
        yield from _explain(user, likeliest, schema)
        return
    message = f"{_dotted(place) or 'values'}: {_message(user, place, error)}"
    yield (
        place,
        UserError(message, where=user.where(place), hint=RESHAPED.get(place) if error.validator == "type" else None),
    )


def _elsewhere(place: KeyPath, schema: Any) -> str | None:
    """The only place where the chart has a key that is at the top level or in a section by mistake."""
    key = str(place[-1])
    if place == ("config",):
        return "hub.config"
    if place[:-1] in ((), ("hub",)) and key[:1].isupper():  # a class of JupyterHub's with its settings
        return f"hub.config.{key}"
    sections = schema.get("properties", {}).items() if len(place) <= 2 else ()
    found = [f"{name}.{key}" for name, section in sections if key in section.get("properties", {})]
    return found[0] if len(found) == 1 else None


RESHAPED: dict[KeyPath, str] = {("hub", "extraConfig"): "since chart 1.0.0 each piece of code has a name: {mine: |…}"}
"""Keys whose values have been of another type."""


def _message(user: UserValues, place: KeyPath, error: ValidationError) -> str:
    expected: Any = error.validator_value
    if error.validator == "type":
        kinds = [expected] if isinstance(expected, str) else expected
        if (
            not {"number", "integer", "boolean"} & {*kinds}
            and "string" in kinds
            and written(user.document, place)
            and error.instance is not None
        ):
            return _in_quotes(user, place)
        return f"must be {' or '.join(kinds)}{_shown(user, place, error.instance)}"
    if error.validator == "enum":
        return f"must be one of {', '.join(map(json.dumps, expected))}{_shown(user, place, error.instance)}"
    if error.validator == "not" and (description := _part(error).get("description")):
        return str(description)
    if _is_secret(place):
        return f"does not meet the schema's {error.validator} {json.dumps(expected)}"
    return error.message[:200]


def _in_quotes(user: UserValues, place: KeyPath) -> str:
    text = written(user.document, place)
    return "must be a string: put it in quotes" + ("" if _is_secret(place) else f', "{text}"')


def _shown(user: UserValues, place: KeyPath, value: Any) -> str:
    """The value as it was written, shortened; nothing if it may be secret."""
    if _is_secret(place):
        return ""
    text = None if isinstance(value, str) else written(user.document, place)
    return f", not {text or json.dumps(value)[:80]}"


def _is_credential(place: KeyPath) -> bool:
    return CREDENTIAL.search(_key(place)) is not None


def _is_secret(place: KeyPath) -> bool:
    return SECRET.search(_key(place)) is not None


def _key(place: KeyPath) -> str:
    """The last key in the place, which an item of a list shares with the list."""
    return next((step for step in reversed(place) if isinstance(step, str)), "")


def _part(error: ValidationError) -> dict[str, Any]:
    """The part of the schema that the error is about."""
    return error.schema if isinstance(error.schema, dict) else {}


def _dotted(place: KeyPath) -> str:
    return ".".join(str(step) for step in place)
