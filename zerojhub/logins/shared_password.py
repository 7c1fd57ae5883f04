"""Log in with any name and a password that all users share."""

from __future__ import annotations

from zerojhub.errors import UserError
from zerojhub.logins.facts import Facts, Values
from zerojhub.logins.kind import EVERYONE, Kind, Names, SecretFile, Variable

SHORTEST = {"password": 8, "admin_password": 32}
"""Characters that JupyterHub requires."""
TRAITS = {"password": "user_password", "admin_password": "admin_password"}


class SharedPassword(Kind):
    """Any name with one password: for a workshop, because users can open each other's servers."""

    key, title = "shared-password", "a shared password"
    authenticator, settings = "shared-password", "SharedPasswordAuthenticator"
    secrets = ("password", "admin_password")
    since, since_why = (4, 2), "JupyterHub 5.3"
    steps = (
        "The password for users is in the file password, the administrators' in admin-password.",
        "All names but the administrators' can log in with the first, also somebody else's.",
    )
    example = """\
password_file: password
admin_password_file: admin-password
admins: [teacher]
"""

    allow: Names = [EVERYONE]
    """`everyone` with the password, or only users with these names."""
    password_file: SecretFile = None
    """File with the password that all users share, at least 8 characters (mode 0600)."""
    password_env: Variable = None
    """Environment variable with that password, in place of the file."""
    admin_password_file: SecretFile = None
    """File with the password of the administrators, at least 32 characters (mode 0600). Required with `admins`."""
    admin_password_env: Variable = None
    """Environment variable with that password, in place of the file."""

    def required_secrets(self) -> tuple[str, ...]:
        given = self.admins or self.admin_password_file or self.admin_password_env
        return self.secrets if given else ("password",)

    def config(self, facts: Facts) -> Values:
        for name, password in facts.secrets.items():
            if len(password) < SHORTEST[name]:
                raise UserError(
                    f"login.shared-password: the {name.replace('_', ' ')} must have at least {SHORTEST[name]} characters",
                    hint="as from: openssl rand -hex 16",
                )
        if len(set(facts.secrets.values())) < len(facts.secrets):
            raise UserError("login.shared-password: administrators need another password than users")
        return {TRAITS[name]: password for name, password in facts.secrets.items()}
