"""Quantities as Kubernetes writes them: `500m` CPUs, `2Gi` of memory.

https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
"""

from __future__ import annotations

import re
from decimal import Decimal

UNITS = {
    **{"": Decimal(1), "n": Decimal(10) ** -9, "u": Decimal(10) ** -6, "m": Decimal(10) ** -3},
    **{unit: Decimal(10) ** (3 * power) for power, unit in enumerate("kMGTPE", 1)},
    **{f"{unit}i": Decimal(2) ** (10 * power) for power, unit in enumerate("KMGTPE", 1)},
}
QUANTITY = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+\Z)?)([numkMGTPE]?|[KMGTPE]i)")


def number(text: str) -> Decimal:
    """The quantity as a number of its base unit (CPUs, bytes). ValueError if it is not a quantity."""
    found = QUANTITY.fullmatch(text)
    if not found:
        raise ValueError(f"{text!r} is not a quantity")
    return Decimal(found[1]) * UNITS[found[2]]
