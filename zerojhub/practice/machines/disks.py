"""Volumes as block devices: loop devices on sparse files, which machines use as their disks."""

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
"""struct loop_info64. The fifth field limits the size, the ninth holds flags."""
CONFIG = struct.Struct(f"=2I{INFO.size}s8Q")
"""struct loop_config: file, block size, struct loop_info64, reserved fields."""
SECTOR = 512


class Disk:
    """A file as the block device `node`, until it is pulled or this process ends. Raises OSError.

    The kernel frees the device once it is neither open here nor mounted anywhere, however the processes ended.
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
                if error.errno != errno.EBUSY:  # another process took this device first
                    raise

    def grow(self) -> None:
        """Adopt the file's current size."""
        fcntl.ioctl(self._held, SET_CAPACITY)

    def pull(self) -> None:
        """Remove the disk, as from a running machine: whatever still has it mounted can no longer write to the file."""
        fcntl.ioctl(self._held, SET_STATUS, _info(SECTOR))
        os.close(self._held)


def _info(limit: int = 0) -> bytes:
    return INFO.pack(0, 0, 0, 0, limit, 0, 0, 0, AUTOCLEAR, b"", b"", b"", 0, 0)
