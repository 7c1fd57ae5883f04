"""Settings of this machine's kernel that the practice cloud needs higher than they are, put back when it ends."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
WATCHES = Path("/proc/sys/fs/inotify/max_user_instances")
LEAST = {FORWARDING: 1, WATCHES: 1024}
"""A kubelet that gets no inotify instance ends at once, and its node never comes. A machine takes eight, a cluster's master
eleven more, all of root's own, which are 128 unless said otherwise: fewer than ten servers need."""


def change(kept: Path) -> None:
    """Have each setting at least so high. `kept` keeps what they were. OSError when forwarding cannot be had."""
    before = {str(path): int(path.read_text()) for path in LEAST}
    kept.write_text(json.dumps(before))
    for path, least in LEAST.items():
        if before[str(path)] >= least:
            continue
        # Where the system keeps that to itself, a few machines do with what there is.
        with contextlib.suppress(OSError) if path is WATCHES else contextlib.nullcontext():
            path.write_text(str(least))


def put_back(kept: Path) -> None:
    """Have the settings as they were before `change`; quiet when it was not called."""
    if not kept.exists():
        return
    for path, value in json.loads(kept.read_text()).items():
        if int(Path(path).read_text()) != value:
            Path(path).write_text(str(value))
    kept.unlink()
