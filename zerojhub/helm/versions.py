"""What Helm 4 does differently from Helm 3.

The commands used here have the same options in both. Their errors differ in the layout of template errors only, which
`template.parse` reads.
"""

from __future__ import annotations

from collections.abc import Sequence

APPLIES = {"upgrade", "rollback"}
"""Commands that change objects."""


def adapted(command: Sequence[str], major: int) -> list[str]:
    """A command for Helm 3 as Helm of this major version has to be given it, to do the same.

    Helm 4 applies new releases in the server, which refuses what others have changed since, such as the number of replicas of a
    hub that was stopped. And it waits for everything in a release to be deleted, custom resources included.
    """
    if major < 4:
        return [*command]
    words = ["--wait=legacy" if word == "--wait" else word for word in command]
    return [*words, "--server-side=false"] if command[0] in APPLIES else words
