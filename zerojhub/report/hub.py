"""Reports on the running hub: its users, and the proof that it works."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from zerojhub.report.results import Output, show, show_line, table

if TYPE_CHECKING:
    from zerojhub.hub.client import User
    from zerojhub.hub.proof import Proof


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


def show_proof(proof: Proof, output: Output) -> None:
    """That the hub works, with the seconds of each step."""
    seconds = {step: round(taken, 1) for step, taken in proof.seconds().items()}
    show({"works": True, "seconds": seconds}, output, lambda: print(f"ok: {proof}"))
