"""Volumes as block devices: loop devices of this machine's kernel, over sparse files, lent to machines as their disks."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import struct
from pathlib import Path

CONTROL = Path("/dev/loop-control")
# linux/loop.h
MAJOR = 7
SET_STATUS, SET_CAPACITY, CONFIGURE, GET_FREE = 0x4C04, 0x4C07, 0x4C0A, 0x4C82
AUTOCLEAR = 4
INFO = struct.Struct("=5Q4I64s64s32s2Q")
"""struct loop_info64; of its fields, the fifth limits the size and the ninth holds flags."""
CONFIG = struct.Struct(f"=2I{INFO.size}s8Q")
"""struct loop_config: the file, the size of its blocks, the above, and what is reserved."""
SECTOR = 512


class Disk:
    """A file as the block device `node`, until it is pulled out or this process ends. Raises OSError.

    The kernel keeps the device for as long as it is held here or mounted anywhere, and not longer, whoever ended how.
    """

    def __init__(self, file: Path, node: Path):
        self.node = node
        backing, control = os.open(file, os.O_RDWR), os.open(CONTROL, os.O_RDWR)
        try:
            self._held = self._take(control, CONFIG.pack(backing, 0, _info(), *[0] * 8))
        finally:
            os.close(control)
            os.close(backing)

    def _take(self, control: int, config: bytes) -> int:
        while True:
            number = fcntl.ioctl(control, GET_FREE)
            os.mknod(self.node, stat.S_IFBLK | 0o660, os.makedev(MAJOR, number))
            held = os.open(self.node, os.O_RDWR)
            try:
                fcntl.ioctl(held, CONFIGURE, config)
                return held
            except OSError as error:
                os.close(held)
                self.node.unlink()
                if error.errno != errno.EBUSY:  # when someone else was faster
                    raise

    def grow(self) -> None:
        """Have the size that the file has by now."""
        fcntl.ioctl(self._held, SET_CAPACITY)

    def pull(self) -> None:
        """Take it out, as from a running machine: what still has it mounted writes nothing more to the file."""
        fcntl.ioctl(self._held, SET_STATUS, _info(SECTOR))
        os.close(self._held)


def _info(limit: int = 0) -> bytes:
    return INFO.pack(0, 0, 0, 0, limit, 0, 0, 0, AUTOCLEAR, b"", b"", b"", 0, 0)
