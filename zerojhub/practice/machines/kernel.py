"""Kernel settings that the practice cloud raises while it runs, and restores when it stops."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
WATCHES = Path("/proc/sys/fs/inotify/max_user_instances")
LEAST = {FORWARDING: 1, WATCHES: 1024}
"""Minimum values. A kubelet that cannot get an inotify instance exits immediately, and its node never registers. Each
machine takes eight of root's instances, and a master eleven more. The kernel's default of 128 is too low for ten
servers."""


def change(kept: Path) -> None:
    """Raise each setting to its minimum, and save the old values in `kept`. OSError if forwarding cannot be enabled."""
    before = {str(path): int(path.read_text()) for path in LEAST}
    kept.write_text(json.dumps(before))
    for path, least in LEAST.items():
        if before[str(path)] >= least:
            continue
        # Some hosts do not allow this. The default is enough for a few machines.
        with contextlib.suppress(OSError) if path is WATCHES else contextlib.nullcontext():
            path.write_text(str(least))


def put_back(kept: Path) -> None:
    """Restore the settings that `change` saved. Does nothing if it was not called."""
    if not kept.exists():
        return
    for path, value in json.loads(kept.read_text()).items():
        if int(Path(path).read_text()) != value:
            Path(path).write_text(str(value))
    kept.unlink()
