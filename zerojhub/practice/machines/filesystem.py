"""Growing the file systems of volumes where nobody may grow a mounted one.

The kernel asks for CAP_SYS_RESOURCE to grow a mounted ext4, whoever has mounted it, and the root of a container often lacks it.
"""

from __future__ import annotations

import re
from pathlib import Path

from zerojhub.practice.machines.command import run

CAP_SYS_RESOURCE = 24
GROW_TIMEOUT = 120
"""Seconds to check a file system and to grow it."""


def grows_while_mounted() -> bool:
    """Whether this process, and so every machine, may grow a mounted file system."""
    found = re.search(r"^CapEff:\s*([0-9a-f]+)$", Path("/proc/self/status").read_text(), re.MULTILINE)
    return bool(found and int(found[1], 16) >> CAP_SYS_RESOURCE & 1)


async def grow(file: Path) -> None:
    """Have the ext4 in the file, if there is one, fill it. Nobody has it mounted."""
    if (await run("blkid", "-o", "value", "-s", "TYPE", str(file), check=False)).strip() == "ext4":
        await run("e2fsck", "-f", "-p", str(file), timeout=GROW_TIMEOUT, check=False)
        await run("resize2fs", str(file), timeout=GROW_TIMEOUT)
