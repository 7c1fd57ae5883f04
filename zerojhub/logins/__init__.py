"""Ways to log in to the hub: each is a section of `login` in hub.yaml, and a file here."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self, cast

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from zerojhub.errors import UserError
from zerojhub.logins.cilogon import CILogon
from zerojhub.logins.github import GitHub
from zerojhub.logins.gitlab import GitLab
from zerojhub.logins.google import Google
from zerojhub.logins.keystone import Keystone
from zerojhub.logins.kind import Kind
from zerojhub.logins.ldap import LDAP
from zerojhub.logins.lti import LTI
from zerojhub.logins.native import Native
from zerojhub.logins.oidc import OIDC
from zerojhub.logins.shared_password import SharedPassword
from zerojhub.section import Section
from zerojhub.text import nearest

KINDS: tuple[type[Kind], ...] = (
    GitHub,
    GitLab,
    Google,
    CILogon,
    OIDC,
    Keystone,
    LDAP,
    Native,
    SharedPassword,
    LTI,
)


class LoginSpec(Section):
    """How users log in: one of these. It becomes values of the chart; those in `hub.values` take precedence.

    Without this section, `hub.values` decides. [Choose who can log in](../how-to/authentication.md) has an example of each.
    """

    github: GitHub | None = None
    """GitHub."""
    gitlab: GitLab | None = None
    """GitLab."""
    google: Google | None = None
    """Google."""
    cilogon: CILogon | None = None
    """CILogon."""
    oidc: OIDC | None = None
    """OpenID Connect."""
    keystone: Keystone | None = None
    """OpenStack."""
    ldap: LDAP | None = None
    """LDAP."""
    native: Native | None = None
    """The hub's own accounts."""
    shared_password: SharedPassword | None = Field(None, alias="shared-password")
    """A shared password."""
    lti: LTI | None = None
    """LTI 1.3."""

    @field_validator("*", mode="before")
    @classmethod
    def _is_chosen_without_keys(cls, section: Any) -> Any:
        return {} if section is None else section

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if len(self._given()) != 1:
            names = ", ".join(kind.key for kind in KINDS)
            raise PydanticCustomError("login", f"choose one of {names}")
        return self

    @property
    def kind(self) -> Kind:
        """The one that was chosen."""
        return self._given()[0]

    def resolve_paths(self, directory: Path) -> None:
        """Have relative paths start at the directory of the deployment file."""
        self.kind.resolve_paths(directory)

    def _given(self) -> list[Kind]:
        return [cast(Kind, given) for name in type(self).model_fields if (given := getattr(self, name)) is not None]


def find(key: str) -> type[Kind]:
    """The way to log in with that key. UserError with the keys there are."""
    keys = {kind.key: kind for kind in KINDS}
    if key not in keys:
        meant = nearest(key, keys)
        raise UserError(
            f"unknown login {key!r}", hint=f"did you mean {meant!r}?" if meant else f"logins: {', '.join(sorted(keys))}"
        )
    return keys[key]
