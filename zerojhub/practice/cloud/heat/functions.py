"""The functions of Heat's template language (HOT), by template version, with Heat's errors for invalid arguments.

They differ between versions: a function of a later version is an ordinary map in an earlier one. Those that refer to
parameters, resources, files and conditions are called by `templates`.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import Any
from urllib.parse import quote, urlencode, urlunsplit

NOTHING = ...
"""What an `if` without an alternative leaves: the map or list around it has no such item."""


@dataclass(frozen=True)
class Function:
    """What Heat says that it is for, and what it does.

    `check` takes a function's name and its arguments, in which other functions are `Call`s; `call` takes them resolved.
    Both raise ValueError. Without `call`, it needs the template.
    """

    summary: str = ""
    """As Heat describes it."""
    check: Callable[[str, Any], object] | None = None
    call: Callable[[str, Any], Any] | None = None


@dataclass(frozen=True)
class Call:
    """A function in a template."""

    name: str
    function: Function
    argument: Any


def fail(message: str) -> None:
    raise ValueError(message)


def is_list(value: Any) -> bool:
    return isinstance(value, list)


def is_map(value: Any) -> bool:
    return isinstance(value, dict)


def should_be(name: str, example: str) -> ValueError:
    return ValueError(f'Incorrect arguments to "{name}" should be: "{name}" : {example}')


def bad_syntax(name: str, *lines: str) -> ValueError:
    """With the lines of an example, as Python prints them."""
    return ValueError(repr(f'"{name}" syntax should be {name}:' + "".join(f"\n              {line}" for line in lines)))


# -- text ---------------------------------------------------------------------------------------------------------------


def check_join(name: str, given: Any, *, several: bool = True) -> None:
    if not is_list(given) or len(given) < 2 or (len(given) > 2 and not several):
        raise should_be(name, f'[ " ", [ "str1", "str2"]{" ..." if several else ""}]')


def join(name: str, given: Any, *, several: bool = True) -> str:
    delimiter, *lists = given
    items: list[Any] = []
    for each in lists:
        if each and not is_list(each):
            fail(f'"{name}" must operate on a list')
        items += each or []
    if not isinstance(delimiter, str):
        fail(f'"{name}" delimiter must be a string')
    return delimiter.join(joined(each, several) for each in items)


def joined(item: Any, as_json: bool) -> str:
    if item is None:
        return ""
    if not isinstance(item, str | dict | list if as_json else str):
        kinds = "string, map or list" if as_json else "strings"
        fail(f"Items to join must be {kinds} not {repr(item)[:200]}")
    return item if isinstance(item, str) else json.dumps(item, sort_keys=True)


def check_replace(name: str, given: Any) -> None:
    if not is_map(given):
        fail(f'Arguments to "{name}" must be a map')
    if not {"template", "params"} <= given.keys():
        raise bad_syntax(name, "template: This is var1 template var2", "params:", "  var1: a", "  var2: string")
    if not isinstance(given["params"], dict | Call):
        fail(f'"{name}" parameters must be a mapping')


def replace(name: str, given: Any, *, as_json: bool = True, strict: bool = False, empty: bool = True) -> str:
    """The longest keys first; what has been replaced is not replaced again."""
    template, params = given["template"], given["params"]
    if not isinstance(template, str):
        fail(f'"{name}" template must be a string')
    if not is_map(params):
        fail(f'"{name}" params must be a map')
    found: set[str] = set()

    def replaced(text: str, keys: list[str]) -> str:
        if not keys:
            return text
        value, parts = replacement(name, keys[0], params[keys[0]], as_json, empty), text.split(keys[0])
        found.update(keys[:1] if len(parts) > 1 else ())
        return value.join(replaced(part, keys[1:]) for part in parts)

    keys = sorted(sorted(params), key=len, reverse=True)
    text = replaced(template, keys)
    if strict and (unused := [key for key in keys if key not in found]):
        fail(f"The following params were not found in the template: {','.join(unused)}")
    return text


def replacement(name: str, key: str, value: Any, as_json: bool, empty: bool) -> str:
    if not empty and value in (None, "", [], {}):
        fail(f"{name} has an undefined or empty value for param {key}, must be a defined non-empty value")
    if isinstance(value, dict | list):
        if not as_json:
            fail(f'"{name}" params must be strings or numbers, param {key} is not valid')
        return json.dumps(value, sort_keys=True)
    return "" if value is None else str(value)


SPLIT = '[ ",", "apples,pears", <index>]'


def check_split(name: str, given: Any) -> None:
    if isinstance(given, str | dict):
        raise should_be(name, SPLIT)


def split(name: str, given: Any) -> Any:
    if not is_list(given) or len(given) < 2:
        raise should_be(name, SPLIT)
    delimiter, text, *index = given
    if text is None:
        return None
    parts = text.split(delimiter)
    if not index:
        return parts
    try:
        return parts[int(index[0])]
    except ValueError:
        raise ValueError(f'Incorrect index to "{name}" should be: "{name}" : {SPLIT}') from None
    except IndexError:
        raise ValueError(f'Incorrect index to "{name}" should be between 0 and {len(parts) - 1}') from None


def digest(name: str, given: Any) -> str:
    if not is_list(given) or not all(isinstance(each, str) for each in given):
        fail(f'Argument to function "{name}" must be a list of strings')
    if len(given) != 2:
        fail(f'Function "{name}" usage: ["<algorithm>", "<value>"]')
    if given[0].lower() not in hashlib.algorithms_available:
        fail(f"Algorithm must be one of {hashlib.algorithms_available}")
    return hashlib.new(given[0], given[1].encode("latin-1")).hexdigest()


URL_PARTS = ("scheme", "username", "password", "host", "port", "path", "query", "fragment")


def check_url(name: str, given: Any) -> None:
    if not is_map(given):
        fail(f'The arguments to "{name}" must be a map')
    if unknown := given.keys() - set(URL_PARTS):
        fail(f'Invalid arguments to "{name}": {", ".join(unknown)}')
    for part in URL_PARTS:
        value = given.get(part, "")
        if isinstance(value, Call) or part not in given:
            continue
        if part == "port":
            check_port(name, value, given)
        elif part == "query" and not is_map(value):
            fail(f'The "{part}" argument to "{name}" must be a map')
        elif part != "query" and not isinstance(value, str):
            fail(f'The "{part}" argument to "{name}" must be a string')


def check_port(name: str, port: Any, given: Any) -> None:
    try:
        number = int(port)
    except ValueError:
        raise ValueError(f'Invalid URL port "{port}" for {name} called with {given}') from None
    if not 0 < number <= 65535:
        fail(f"Invalid URL port {number}, must be in range 1-65535")


def url(name: str, given: Any) -> str:
    check_url(name, given)
    if ":" in given.get("scheme", ""):
        fail("URL \"scheme\" should not contain ':'")
    user, password = (quote(given.get(key, ""), safe="") for key in ("username", "password"))
    login = f"{user}{':' if password else ''}{password}@" if user or password else ""
    host = quote(given.get("host", "").removeprefix("[").removesuffix("]"), safe=":")
    port = f":{given['port']}" if given.get("port") else ""
    place = login + (f"[{host}]" if ":" in host else host) + port
    query = urlencode(given.get("query", {})).replace("%2F", "/")
    return urlunsplit(
        (given.get("scheme", ""), place, quote(given.get("path", "")), query, quote(given.get("fragment", "")))
    )


# -- lists and maps -----------------------------------------------------------------------------------------------------


def merge(name: str, given: Any) -> Any:
    if not isinstance(given, list | str):
        raise should_be(name, '[ { "key1": "val1" }, { "key2": "val2" } ]')
    merged: dict[Any, Any] = {}
    each: Any
    for each in given:
        if each is not None and not is_map(each):
            what = f"{repr(each)[:200]} is type {type(each)} instead of a dict"
            fail(f"Incorrect arguments: Items to merge must be maps. {what}")
        merged |= each or {}
    return merged


MAP_REPLACE = '[ { "key1": "val1" }, {"keys": {"key1": "key2"}, "values": {"val1": "val2"}}]'


def map_replace(name: str, given: Any) -> Any:
    if not is_list(given) or len(given) != 2:
        raise should_be(name, MAP_REPLACE)
    source, changes = (as_map(name, each) for each in given)
    if not changes.keys() <= {"keys", "values"}:
        raise should_be(name, MAP_REPLACE)
    keys, values = (as_map(name, changes.get(key, {})) for key in ("keys", "values"))
    result: dict[Any, Any] = {}
    for key, value in source.items():
        new = keys.get(key) if keys.get(key) is not None else key
        if new != key and new in source:
            fail(f"key replacement {new} collides with a key in the input map")
        if new != key and new in result:
            fail(f"key replacement {new} collides with a key in the output map")
        result[new] = value if isinstance(value, dict | list) else values.get(value, value)
    return result


def as_map(name: str, value: Any) -> Mapping[Any, Any]:
    if value is not None and not is_map(value):
        example = f'"{name}" : {MAP_REPLACE}'
        fail(f'Incorrect arguments: to "{name}", arguments must be a list of maps. Example:  {example}')
    return value or {}


def check_repeat(name: str, given: Any, *, steps: bool = False) -> None:
    if not is_map(given):
        fail(f'Arguments to "{name}" must be a map')
    if not {"template", "for_each"} <= given.keys():
        raise bad_syntax(name, "template: This is %var%", "for_each:", "  %var%: ['a', 'b', 'c']")
    if steps and not isinstance(given.get("permutations", True), bool):
        fail(f'"permutations" should be boolean type for {name} function.')
    if not isinstance(given["for_each"], dict | Call):
        fail(f'The "for_each" argument to "{name}" must contain a map')


def repeat(name: str, given: Any, *, maps: bool = True, steps: bool = False) -> list[Any]:
    """For each combination of the values, or with `steps` and without permutations for each position in all lists."""
    if not given["for_each"]:
        fail("not enough values to unpack (expected 2, got 0)")
    permuted = given.get("permutations", True) or not steps
    keys, values = list(given["for_each"]), [each or [] for each in given["for_each"].values()]
    kinds = (list, dict) if maps and permuted else (list,)
    if not all(isinstance(each, kinds) for each in values):
        fail(f'The values of the "for_each" argument to "{name}" must be lists{" or maps" if len(kinds) > 1 else ""}')
    if not permuted and len({len(each) for each in values}) > 1:
        fail(f"For {name}, the length of for_each values should be equal if no nested loop.")
    chosen = itertools.product(*values) if permuted else zip(*values, strict=True)
    return [filled(given["template"], dict(zip(keys, each, strict=True))) for each in chosen]


def filled(template: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(template, dict):
        return {filled(key, values): filled(value, values) for key, value in template.items()}
    if isinstance(template, list):
        return [filled(each, values) for each in template]
    if isinstance(template, str):
        for key, value in values.items():
            if not isinstance(value, str):
                fail(f"replace() argument 2 must be str, not {type(value).__name__}")
            template = template.replace(key, value)
    return template


def check_filter(name: str, given: Any) -> None:
    if not is_list(given):
        fail(f'Argument to "{name}" must be a list')
    if len(given) != 2:
        form = "2 arguments of the form [values, sequence]"
        fail(f'"{name}" expected {form} but got {len(given)} arguments instead')


def filter_out(name: str, given: Any) -> Any:
    values, items = given
    if items and not is_list(items):
        fail(f'"{name}" only works with lists')
    if items and values and not is_list(values):
        fail(f'"{name}" filters a list of values')
    return [item for item in items if item not in values] if items and values else items


def concat(name: str, given: Any, *, unique: bool = False) -> Any:
    if not is_list(given):
        raise should_be(name, "[ [ <value 1>, <value 2> ], [ <value 3>, <value 4> ] ]")
    for each in given:
        if each is not None and not is_list(each):
            what = f"{json.dumps(given)} contains an item that is not a list: {json.dumps(each)}"
            fail(f"Incorrect arguments: Items to concat must be lists. {what}")
    items = [item for each in given for item in each or []]
    return [item for index, item in enumerate(items) if item not in items[:index]] if unique else items


# -- conditions ---------------------------------------------------------------------------------------------------------


def check_contains(name: str, given: Any) -> None:
    if not given or not is_list(given):
        raise should_be(name, '[ "value1", [ "value1", "value2"]]')
    if len(given) != 2:
        fail(f'Arguments to "{name}" must be of the form: [value1, [value1, value2]]')


def contains(name: str, given: Any) -> bool:
    value, items = given
    if not isinstance(items, list | str):
        fail(f'Second argument to "{name}" should be a sequence.')
    return value in items


def check_equals(name: str, given: Any) -> None:
    if not is_list(given) or len(given) != 2:
        fail(f'Arguments to "{name}" must be of the form: [value_1, value_2]')


def are_equal(name: str, given: Any) -> bool:
    # A function with a name, as all of them: a stack's record has its template, and is kept in the snapshot.
    return bool(given[0] == given[1])


def check_several(name: str, given: Any) -> None:
    if not is_list(given):
        fail(f'Arguments to "{name}" must be a list of conditions')
    if len(given) < 2:
        fail(f'The minimum number of condition arguments to "{name}" is 2.')


def check_not(name: str, given: Any) -> None:
    if given is None:
        fail(f'Argument to "{name}" must be a condition')


# -- references ---------------------------------------------------------------------------------------------------------


def check_attribute(name: str, given: Any, *, whole: bool = True) -> None:
    """`whole`: without an attribute, it returns all of them."""
    if whole and not given:
        forms = "[resource_name] or [resource_name, attribute, (path), ...]"
        fail(f'Arguments to "{name}" can be of the next forms: {forms}')
    if not is_list(given):
        fail(f'Argument to "{name}" must be a list')
    if len(given) < 2 and not whole:
        fail(f'Arguments to "{name}" must be of the form [resource_name, attribute, (path), ...]')


# -- others -------------------------------------------------------------------------------------------------------------


def check_facade(name: str, given: Any) -> None:
    allowed = ("metadata", "deletion_policy", "update_policy")
    if given not in allowed:
        fail(f'Incorrect arguments to "{name}" should be one of: {", ".join(allowed)}')


def facade(name: str, given: Any) -> None:
    fail(f'"{name}" needs a stack inside another stack')


def check_yaql(name: str, given: Any) -> None:
    if not is_map(given):
        fail(f'Arguments to "{name}" must be a map.')
    if not {"expression"} <= given.keys() <= {"expression", "data"}:
        raise bad_syntax(name, "expression: $.data.var1.sum()", "data:", "  var1: [3, 2, 1]")
    if not isinstance(given["expression"], Call):
        statement(name, given["expression"])


def statement(name: str, expression: Any) -> Any:
    from yaql.language.exceptions import YaqlException

    if not isinstance(expression, str):
        fail(f'The "expression" argument to {name} must contain a string.')
    try:
        return engine()(expression)
    except YaqlException as error:
        raise ValueError(f"Bad expression {error}.") from None


@cache
def engine() -> Any:
    import yaql

    # Heat's own limits.
    return yaql.YaqlFactory().create({"yaql.limitIterators": 200, "yaql.memoryQuota": 10000})


def evaluate(name: str, given: Any) -> Any:
    import yaql
    from yaql.language.exceptions import YaqlException

    parsed = statement(name, given["expression"])
    try:
        return parsed.evaluate({"data": given.get("data", {})}, yaql.create_context())
    except YaqlException as error:
        raise ValueError(str(error)) from None


def check_removed(name: str, _given: Any) -> None:
    fail(f"The template version is invalid: The function {name} is not supported in this version of HOT.")


REMOVED = Function("", check_removed)
SUBSTITUTE = "A function for performing string substitutions."
GET_PARAM = Function("A function for resolving parameter references.")
CONTAINS = Function("A function for checking whether specific value is in sequence.", check_contains, contains)
YAQL = Function("A function for executing a yaql expression.", check_yaql, evaluate)
HISTORY: dict[str, dict[str, Function]] = {
    "2013-05-23": {
        "get_attr": Function("A function for resolving resource attributes.", partial(check_attribute, whole=False)),
        "get_file": Function("A function for including a file inline."),
        "get_param": GET_PARAM,
        "get_resource": Function("A function for resolving resource references."),
        "list_join": Function(
            "A function for joining strings.", partial(check_join, several=False), partial(join, several=False)
        ),
        "resource_facade": Function(
            "A function for retrieving data in a parent provider template.", check_facade, facade
        ),
        "str_replace": Function(SUBSTITUTE, check_replace, partial(replace, as_json=False)),
    },
    "2014-10-16": {
        name: REMOVED
        for name in (
            *("Fn::GetAZs", "Fn::Join", "Fn::Split", "Fn::Replace", "Fn::Base64", "Fn::MemberListToMap"),
            *("Fn::ResourceFacade", "Ref"),
        )
    },
    "2015-04-30": {
        "digest": Function("A function for performing digest operations.", None, digest),
        "repeat": Function("A function for iterating over a list of items.", check_repeat, partial(repeat, maps=False)),
    },
    "2015-10-15": {
        "get_attr": Function("A function for resolving resource attributes.", check_attribute),
        "list_join": Function("A function for joining one or more lists of strings.", check_join, join),
        "str_replace": Function(SUBSTITUTE, check_replace, replace),
        "str_split": Function("A function for splitting delimited strings into a list.", check_split, split),
        "Fn::Select": REMOVED,
    },
    "2016-04-08": {"map_merge": Function("A function for merging maps.", None, merge)},
    "2016-10-14": {
        "if": Function("A function to return corresponding value based on condition evaluation."),
        "map_replace": Function("A function for performing substitutions on maps.", None, map_replace),
        "repeat": Function("A function for iterating over a list of items or a dict of keys.", check_repeat, repeat),
        "yaql": YAQL,
    },
    "2017-02-24": {
        "filter": Function("A function for filtering out values from lists.", check_filter, filter_out),
        "str_replace_strict": Function(SUBSTITUTE, check_replace, partial(replace, strict=True)),
    },
    "2017-09-01": {
        "contains": CONTAINS,
        "list_concat": Function("A function for extending lists.", None, concat),
        "list_concat_unique": Function(
            "A function for extending lists with unique items.", None, partial(concat, unique=True)
        ),
        "make_url": Function("A function for performing substitutions on maps.", check_url, url),
        "repeat": Function(
            "A function for iterating over a list of items or a dict of keys.",
            partial(check_repeat, steps=True),
            partial(repeat, steps=True),
        ),
        "str_replace_vstrict": Function(SUBSTITUTE, check_replace, partial(replace, strict=True, empty=False)),
    },
}
"""Template version -> the functions that it adds or changes."""
CONDITION_HISTORY: dict[str, dict[str, Function]] = {
    "2016-10-14": {
        "get_param": GET_PARAM,
        "equals": Function(
            "A function for comparing whether two values are equal.",
            check_equals,
            are_equal,
        ),
        "not": Function("A function that acts as a NOT operator on a condition.", check_not),
        "and": Function("A function that acts as an AND operator on conditions.", check_several),
        "or": Function("A function that acts as an OR operator on conditions.", check_several),
    },
    "2017-09-01": {
        "contains": CONTAINS,
        "yaql": YAQL,
    },
}
"""The same for the functions in conditions."""


def since(history: Mapping[str, Mapping[str, Function]], version: str) -> dict[str, Function]:
    """The functions of a template version (a date)."""
    return {name: each for date, functions in history.items() if date <= version for name, each in functions.items()}
