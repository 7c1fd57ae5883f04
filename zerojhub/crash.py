"""Crash reports: what an unexpected exception leaves instead of a traceback on the terminal."""

from __future__ import annotations

import errno
import os
import platform
import re
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path

from zerojhub import files, masking
from zerojhub.errors import ZeroJHubError

LONGEST = 200
"""Characters of an exception's text that are printed; the report has all of it."""

ENVIRONMENT = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE, errno.ENFILE, errno.EIO}
"""Errors of a file that are this machine's, whichever file it was."""


ADVICE = "a bug in zerojhub: open an issue in its repository, with what you did"


class Crash(ZeroJHubError):
    """An exception that nobody expected: a bug in zerojhub (exit code 70)."""

    exit_code = 70


def explain(error: BaseException, argv: Sequence[str], commands: Sequence[str]) -> tuple[ZeroJHubError, str]:
    """The line to print for an exception that is no ZeroJHubError, and its traceback without secrets.

    An error of this machine, such as a full disk, is a ZeroJHubError; anything else a Crash, whose report has been written.
    `commands` are the words of `argv` that name the command; of the others the report has only the names of options.
    """
    for name, value in os.environ.items():
        if masking.SECRET_NAME.search(name):
            masking.remember(value)
    trace = "".join(_traceback(error))
    if isinstance(error, OSError) and (error.filename is not None or error.errno in ENVIRONMENT):
        where = None if error.filename is None else os.fsdecode(error.filename)
        return ZeroJHubError((error.strerror or str(error)).lower(), where=where), trace
    message = f"internal error: {masking.mask(': '.join(filter(None, (type(error).__name__, str(error)))))[:LONGEST]}"
    try:
        path = write(f"{_header(argv, commands)}\n{trace}")
    except Exception as failure:  # the disk is full, the memory, the folder belongs to another user, …
        why = getattr(failure, "strerror", None) or type(failure).__name__
        hint = f"{ADVICE} and with what -v prints: the crash report cannot be written: {why}"
        return Crash(message, hint=hint), trace
    return Crash(message, hint=f"{ADVICE} and with {path}"), trace


def write(text: str) -> Path:
    """Write the report (0600) to the state folder, or to the folder of temporary files. Raises OSError."""
    import platformdirs

    name = time.strftime("crash-%Y-%m-%d-%H%M%S-", time.gmtime()) + f"{os.getpid()}.txt"
    content = text.encode(errors="backslashreplace")
    try:
        folder = files.private_folder(platformdirs.user_state_path("zerojhub") / "crashes")
        files.write(path := folder / name, content)
    except OSError:
        files.write(path := Path(tempfile.gettempdir()) / f"zerojhub-{name}", content)
    return path


def wants_traceback(argv: Sequence[str]) -> bool:
    """Was -v or --verbose given, alone or among other short options?"""
    return any(re.fullmatch(r"--verbose|-[a-z]*v[a-z]*", word) for word in _own(argv))


def _own(argv: Sequence[str]) -> Sequence[str]:
    """The words up to `--`: those after it are for another program."""
    return argv[: argv.index("--")] if "--" in argv else argv


def _header(argv: Sequence[str], commands: Sequence[str]) -> str:
    from zerojhub import __version__

    options = [found[0] for word in _own(argv) if (found := re.match(r"--[a-z-]+|-[a-z]", word))]
    lines = {
        "zerojhub": __version__,
        "Python": sys.version.replace("\n", " "),
        "platform": platform.platform(),
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "command": " ".join(["zerojhub", *commands, *options]),
    }
    return "".join(f"{key}: {value}\n" for key, value in lines.items())


def _traceback(error: BaseException) -> Iterator[str]:
    """The lines of the traceback, without local variables and secrets. Lines of our own code cannot contain any."""
    for line in traceback.TracebackException.from_exception(error, capture_locals=False).format():
        is_code = re.match(r'[\s|+-]*File "', line)
        yield masking.mask_known(line) if is_code else masking.mask(line)
