"""Runs zerojhub, and OpenStack's command-line client, in processes that fork from one that has loaded both.

They take one and two seconds of processor to start, and the tests start them a thousand times.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import pkgutil
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from importlib import import_module, metadata
from multiprocessing.context import ForkServerContext
from pathlib import Path
from subprocess import CompletedProcess, TimeoutExpired

import zerojhub

PROGRAMS = {"zerojhub": ("zerojhub.__main__", "main"), "openstack": ("openstackclient.shell", "main")}
"""Name of a program -> its module and function."""

LATE = ["openstack", "openstack.config", "openstack.connection", "keystoneauth1.identity.v3", "keystoneauth1.loading"]
LATE += ["paramiko", "yaml", "pydantic", "cryptography.x509", "rich.live", "rich.table", "tenacity"]
"""Modules that zerojhub imports in functions."""

ELSEWHERE = {"zerojhub.__main__", "zerojhub.logins.keystone_authenticator"}
"""Modules that only run: the second in a hub."""


@cache
def _server() -> ForkServerContext:
    """Forks from a process that has loaded both programs. Each child loads this module: it lists nothing by itself."""
    modules = {module.name for module in pkgutil.walk_packages(zerojhub.__path__, "zerojhub.")} - ELSEWHERE
    entries = metadata.entry_points()
    groups = [group for group in entries.groups if group.startswith("openstack.")]
    client = {each.module for group in groups for each in entries.select(group=group)}
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload([*LATE, *sorted(modules), "openstackclient.shell", *client])
    return server


def run(
    program: str,
    *words: str,
    folder: Path,
    environment: Mapping[str, str],
    stdin: str = "",
    timeout: float = 120,
) -> CompletedProcess[str]:
    """Run one of PROGRAMS with these words. Raises TimeoutExpired after so many seconds, after killing it."""
    with tempfile.TemporaryDirectory() as place:
        files = [Path(place, name) for name in ("stdin", "stdout", "stderr")]
        files[0].write_text(stdin)
        process = _server().Process(target=_run, args=(program, words, folder, dict(environment), files))
        process.start()
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            raise TimeoutExpired([program, *words], timeout)
        return CompletedProcess([program, *words], process.exitcode, *(file.read_text() for file in files[1:]))


def _run(program: str, words: tuple[str, ...], folder: Path, environment: dict[str, str], files: list[Path]) -> None:
    gc.freeze()  # what was loaded before stays, so there is no need to look through it again
    for number, file in enumerate(files):
        with file.open("w" if number else "r") as stream:
            os.dup2(stream.fileno(), number)
    sys.stdin = os.fdopen(0, closefd=False)  # multiprocessing has put another one there
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = [program, *words]
    module, function = PROGRAMS[program]
    sys.exit(getattr(import_module(module), function)())
