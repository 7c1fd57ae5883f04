"""Placeholders: what stands for a value in documentation, templates and profiles, and nobody has replaced."""

from __future__ import annotations

import re

_ANYWHERE = r"<[A-Za-z][\w .-]*>|\$\{\w+\}|\$\(\w+\)|\{\{.*\}\}|\{%.*%\}|\bYOUR[-_][A-Z0-9_-]+"
_WHOLE = (
    rf"{_ANYWHERE}|\$[A-Z][A-Z0-9_]*|(CHANGE|REPLACE)[-_ ]?(ME|THIS)|(change|replace)[-_ ](me|this)"
    r"|your[-_][a-z0-9_-]+|A-NEW-PASSWORD|TODO|TBD|FIXME|X{3,}|\*{3,}|…|\.{3}"
)
# `changeme` is not among them: people really have that password.


def placeholder(text: str) -> str | None:
    """The text, if all of it is a placeholder: <password>, $PASSWORD, CHANGEME, YOUR-CLIENT-ID."""
    return text.strip() if re.fullmatch(_WHOLE, text.strip()) else None


def placeholder_in(text: str) -> str | None:
    """The placeholder in a text such as an address: https://<host>/, YOUR-HUB.example.org."""
    found = re.search(_ANYWHERE, text)
    return found[0] if found else placeholder(text)
