"""Log in with an account that users make for themselves on the hub."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from zerojhub.logins.facts import Facts, Values
from zerojhub.logins.kind import EVERYONE, Kind, Names


class Native(Kind):
    """Accounts that users make on the hub, with a password, and an administrator approves."""

    key, title = "native", "the hub's own accounts"
    authenticator, settings = "native", "NativeAuthenticator"
    steps = (
        "Sign up as teacher at /hub/signup before others know the URL: this name needs no approval.",
        "Approve the others at /hub/authorize.",
    )
    example = """\
admins: [teacher]
"""

    allow: Names = [EVERYONE]
    """`everyone` who is approved, or users who can log in without approval as soon as they sign up."""
    signup: Literal["approval", "open"] = "approval"
    """`approval`: an administrator approves new accounts, at `/hub/authorize`. `open`: nobody has to."""
    minimum_password_length: int = Field(10, ge=1)
    """Characters that a password must have."""

    def config(self, facts: Facts) -> Values:
        return {"open_signup": self.signup == "open", "minimum_password_length": self.minimum_password_length}
