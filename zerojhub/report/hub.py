"""Reports on the running hub: its users and what became of them, its announcement, and the proof that it works."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from zerojhub.report.plain import print
from zerojhub.report.results import Output, show, show_line, table
from zerojhub.text import plural

if TYPE_CHECKING:
    from zerojhub.hub.client import User
    from zerojhub.hub.proof import Proof
    from zerojhub.hub.tokens import KeptToken
    from zerojhub.hub.users import Leaving, UserRow


def show_url(url: str, output: Output) -> None:
    """The URL alone, for scripts."""
    show_line({"url": url}, output, url)


def show_users(users: Sequence[User], output: Output) -> None:
    """The users by name, with the number of their running servers."""
    rows = [
        {
            "name": user.name,
            "admin": "yes" if user.admin else "",
            "servers": len(user.servers),
            "last_activity": user.last_activity,
        }
        for user in sorted(users, key=lambda user: user.name)
    ]
    show(rows, output, lambda: table(rows, ("name", "admin", "servers", "last_activity"), empty="no users"))


def show_rows(rows: Sequence[UserRow], output: Output) -> None:
    """What became of each user."""
    show(rows, output, lambda: table(rows, ("name", "outcome", "detail"), empty="nothing to do"))


def show_leaving(leaving: Sequence[Leaving], *, with_data: bool) -> None:
    """The users who are about to be removed, with their servers and volumes, on standard error."""
    fate = "deleted" if with_data else "kept"
    for each in leaving:
        servers = plural(len(each.user.servers), "running server") if each.user else "not a user"
        sizes = ", ".join(f"{volume.size_gb} GB ({volume.claim})" for volume in each.volumes)
        print(f"{each.name}: {servers}, {f'{sizes} {fate}' if sizes else 'no volume'}", file=sys.stderr)
    total = sum(volume.size_gb for each in leaving for volume in each.volumes)
    print(f"{plural(len(leaving), 'user')}, {total} GB {fate}", file=sys.stderr)


def show_chosen(file: Path, names: str, source: str) -> None:
    """Which part of a class list was taken for user names, on standard error."""
    print(f"{file}: {names} from {source}", file=sys.stderr)


def show_message(message: str | None, output: Output) -> None:
    """The announcement on the hub's pages."""
    show_line({"message": message}, output, message or "no announcement")


def show_proof(proof: Proof, output: Output) -> None:
    """That the hub works, with the seconds of each step, and what is known of the login."""
    seconds = {step: round(taken, 1) for step, taken in proof.seconds().items()}
    login = {"login": proof.login} if proof.login else {}
    show({"works": True, "seconds": seconds, **login}, output, lambda: print(f"ok: {proof}"))


def show_token(kept: KeptToken, output: Output, *, quiet: bool) -> None:
    """Where a token is; never the token."""

    def people() -> None:
        print(f"wrote {kept.file}: a token of {kept.user} at {kept.url}")
        if not quiet:
            print(f'next: curl -H "Authorization: token $(cat {kept.file})" {kept.url}/hub/api/user')

    show(kept, output, people)
