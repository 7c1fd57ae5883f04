"""Secrets of the run, and text without them. For crash reports, and for addresses in messages."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

MASK = "***"

SHORTEST = 4
"""Characters of a secret. Shorter ones would mask half of the text."""
UNMISTAKABLE = 12
"""Characters from which a secret is masked inside words, too."""

_NAME = r"passw(?:or)?d|passphrase|secret|token|credential|cookie|authorization|api[_-]?key|(?:private|client)[_-]?key"
SECRET_NAME = re.compile(_NAME, re.IGNORECASE)
"""In names of keys, options and environment variables whose values are secrets."""

_PATTERNS = (
    (re.compile(r"(?i)(authorization[\"']?\s*[:=]\s*[\"']?\w+ |\bbearer )[^\s\"']+"), rf"\1{MASK}"),
    # What follows a secret's name: in quotes, or up to a separator.
    (re.compile(rf"(?i)((?:{_NAME})[\w.-]*[\"']?\s*[:=]\s*)(?:\"[^\"]*\"|'[^']*'|[^\s,;&\"')}}\]]+)"), rf"\1{MASK}"),
    (re.compile(r"-----BEGIN [^-]+-----.*?(?:-----END [^-]+-----|\Z)", re.DOTALL), MASK),
    (re.compile(r"(://)[^\s/@]+@"), rf"\1{MASK}@"),
    # JSON web tokens, Keystone's Fernet tokens; other key material: many characters without a space, a digit among them.
    (re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]*|\bgAAAAA[\w=-]+|(?=[a-zA-Z_+/]*\d)[\w+/]{40,}=*"), MASK),
)

_known: set[str] = set()


def remember(*secrets: str | None) -> None:
    """Have `mask` hide these from now on."""
    for secret in secrets:
        if secret and len(secret) >= SHORTEST:
            _known.update((secret, repr(secret)[1:-1], json.dumps(secret)[1:-1], quote(secret, safe="")))


def remember_in(document: Any, *, named: bool = False) -> None:
    """Remember the values of all keys that are named like secrets. `named`: all text in the document is secret."""
    if isinstance(document, Mapping):
        for key, value in document.items():
            remember_in(value, named=named or bool(SECRET_NAME.search(str(key))))
    elif isinstance(document, list | tuple):
        for each in document:
            remember_in(each, named=named)
    elif named and not isinstance(document, bool):
        remember(str(document))


def mask(text: str) -> str:
    """The text without the remembered secrets, and without what looks like one."""
    text = mask_known(text)
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def mask_known(text: str) -> str:
    """The text without the remembered secrets."""
    for secret in sorted(_known, key=len, reverse=True):
        pattern = re.escape(secret)
        text = re.sub(pattern if len(secret) >= UNMISTAKABLE else rf"(?<!\w){pattern}(?!\w)", MASK, text)
    return text
