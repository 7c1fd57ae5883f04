"""What restic needs to reach the store: the password and the credentials, from files of the user's."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from zerojhub import masking, private
from zerojhub.errors import Problems, UserError, ZeroJHubError

if TYPE_CHECKING:
    from zerojhub.deployment import BackupSpec

READ_BY_RESTIC = ("AWS_", "OS_", "ST_", "SWIFT_", "RESTIC_REST_")
"""How the names of the variables begin with which restic logs in."""
REQUIRED = {
    "s3": ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
    "swift": ("OS_AUTH_URL",),
    "rest": (),
}
SHORTEST = 12
"""Characters of a password."""


@dataclass(frozen=True)
class Login:
    """The password of the backups, and the login to where they are."""

    password: str = field(repr=False)
    variables: dict[str, str] = field(repr=False)
    """Environment variables for restic."""


def read(wanted: BackupSpec) -> Login:
    """Read the files that the deployment names. Raises Problems with each mistake, with its file and line."""
    problems: list[ZeroJHubError] = []
    password, variables = "", dict[str, str]()
    try:
        password = private.read(wanted.password_file).strip("\n")
        if len(password) < SHORTEST or "\n" in password:
            problems.append(
                UserError(
                    f"the password must be one line of at least {SHORTEST} characters",
                    where=f"{wanted.password_file}:1",
                    hint="as from: openssl rand -hex 32",
                )
            )
    except UserError as error:
        error.hint = error.hint or f"create it with: (umask 077; openssl rand -hex 32 > {wanted.password_file.name})"
        problems.append(error)
    kind = wanted.to.partition(":")[0]
    if wanted.credentials_file:
        try:
            variables = private.variables(wanted.credentials_file, READ_BY_RESTIC, "the login of restic")
        except UserError as error:
            problems.append(error)
    lacking = [name for name in REQUIRED[kind] if not variables.get(name)]
    if lacking and not problems:
        where = str(wanted.credentials_file) if wanted.credentials_file else None
        hint = None if where else "set backup.credentials_file to a file with a line NAME=VALUE for each"
        problems.append(UserError(f"{kind}: needs {' and '.join(lacking)}", where=where, hint=hint))
    if problems:
        raise Problems(problems)
    masking.remember(password, *(each for name, each in variables.items() if masking.SECRET_NAME.search(name)))
    return Login(password, variables)
