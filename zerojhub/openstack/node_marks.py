"""Kubernetes labels and taints that a node group's nodes get (Magnum's microversion 1.14), checked before Magnum is asked.

A label that Kubernetes does not accept would keep the nodes from registering.
"""

from __future__ import annotations

import re

from zerojhub.errors import UserError
from zerojhub.openstack.magnum import Taint

EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
"""The name in a key, or a value."""
PREFIX = re.compile(r"(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
"""What is before the slash of a key: a domain."""


def read_taint(text: str) -> Taint:
    """The taint that is written KEY[=VALUE]:EFFECT. UserError for anything else."""
    head, colon, effect = text.rpartition(":")
    key, _, value = head.partition("=")
    if not colon or not key:
        raise UserError(f"{text!r} is not KEY[=VALUE]:EFFECT", where="--node-taints", hint="gpu=yes:NoSchedule")
    if effect not in EFFECTS:
        raise UserError(
            f"unknown effect {effect!r} of a taint", where="--node-taints", hint=f"one of {', '.join(EFFECTS)}"
        )
    return {"key": key, "value": value, "effect": effect}


def problems(labels: dict[str, str], taints: list[Taint]) -> list[UserError]:
    """What Kubernetes would not accept."""
    kinds = [(taint["key"], taint["effect"]) for taint in taints]
    repeated = dict.fromkeys(f"{key}:{effect}" for key, effect in kinds if kinds.count((key, effect)) > 1)
    pairs = [("node label", key, value) for key, value in labels.items()]
    pairs += [("node taint", taint["key"], taint["value"]) for taint in taints]
    return [UserError(f"node taint {each} is given more than once") for each in repeated] + [
        UserError(
            f"{kind} {f'{key}={value}'!r} is invalid",
            hint="keys are [DOMAIN/]NAME; names and values have up to 63 letters, digits, `-`, `_` and `.`",
        )
        for kind, key, value in pairs
        if not _is_key(key) or (value and not NAME.fullmatch(value))
    ]


def _is_key(key: str) -> bool:
    prefix, slash, name = key.rpartition("/")
    return bool(NAME.fullmatch(name)) and (not slash or bool(PREFIX.fullmatch(prefix)))
