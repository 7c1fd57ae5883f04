"""OpenStack's command-line client, in processes that fork from one that has loaded it.

It takes two seconds of processor to start, and journeys use it hundreds of times.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from subprocess import CompletedProcess, TimeoutExpired

ENTRIES = metadata.entry_points()
COMMANDS = [each for group in ENTRIES.groups if group.startswith("openstack.") for each in ENTRIES.select(group=group)]
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["openstackclient.shell", *{command.module for command in COMMANDS}])


def openstack(
    *words: str, folder: Path, environment: Mapping[str, str], commands: str = "", timeout: float = 120
) -> CompletedProcess[str]:
    """Run `openstack` with these words, or without words, and with one command in each line of its input. Raises
    TimeoutExpired after so many seconds."""
    with tempfile.TemporaryDirectory() as place:
        files = [Path(place, name) for name in ("stdin", "stdout", "stderr")]
        files[0].write_text(commands)
        process = SERVER.Process(target=_run, args=(words, folder, dict(environment), files))
        process.start()
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            raise TimeoutExpired(["openstack", *words], timeout)
        return CompletedProcess(["openstack", *words], process.exitcode, *(file.read_text() for file in files[1:]))


def _run(words: tuple[str, ...], folder: Path, environment: dict[str, str], files: list[Path]) -> None:
    from openstackclient import shell

    for number, file in enumerate(files):
        with file.open("w" if number else "r") as stream:
            os.dup2(stream.fileno(), number)
    sys.stdin = os.fdopen(0, closefd=False)  # multiprocessing has put another one there
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["openstack", *words]
    sys.exit(shell.main(list(words)))
