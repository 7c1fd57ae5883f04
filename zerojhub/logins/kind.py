"""What all ways to log in have in common: their keys in hub.yaml, their secrets, and what becomes of them in the chart's values."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, ClassVar, Self

from pydantic import BeforeValidator, model_validator
from pydantic_core import PydanticCustomError

from zerojhub import masking, private
from zerojhub.errors import UserError
from zerojhub.logins.facts import Answer, Endpoints, Facts, Values
from zerojhub.placeholders import placeholder
from zerojhub.section import Section, matching

EVERYONE = "everyone"


def _listed(value: object) -> object:
    """A single name as a list of one."""
    return [value] if isinstance(value, str) else value


Names = Annotated[list[str], BeforeValidator(_listed)]
"""Names, or a single one."""
Url = Annotated[str, matching(r"https?://[^\s/@?#]+[^\s@?#]*", "a URL such as https://login.example.org")]
SecretFile = Path | None
Variable = Annotated[str, matching(r"[A-Za-z_]\w*", "the name of an environment variable")] | None


class Kind(Section):
    """A way to log in. Subclasses are sections of `login` in hub.yaml."""

    key: ClassVar[str]
    """Its key in `login`."""
    title: ClassVar[str]
    """The provider, as people call it."""
    authenticator: ClassVar[str]
    """hub.config.JupyterHub.authenticator_class."""
    settings: ClassVar[str]
    """The class in hub.config that has its settings."""
    shared: ClassVar[tuple[str, ...]] = ("Authenticator",)
    """Other classes in hub.config with settings for it."""
    secrets: ClassVar[tuple[str, ...]] = ()
    """Names of secrets: the section has NAME_file and NAME_env for each."""
    callback_path: ClassVar[str | None] = None
    """Path below the hub's URL to which the provider sends its users back; None if it sends them nowhere."""
    since: ClassVar[tuple[int, int]] = (3, 0)
    """The chart's first version with the authenticator."""
    since_why: ClassVar[str] = "JupyterHub 4"
    rules: ClassVar[tuple[str, ...]] = ("allow", "admins")
    """The keys that let someone in, the most usual first."""
    restricts: ClassVar[bool] = False
    """The other rules than `allow` and `admins` keep everyone else out, rather than let more people in."""
    steps: ClassVar[tuple[str, ...]] = ()
    """What to do at the provider, as lines for `zerojhub init`: {hub} is the hub's URL, {callback} where users are sent back."""
    example: ClassVar[str] = ""
    """The keys to begin with, as YAML."""

    admins: Names = []
    """Users who are administrators of the hub. They can always log in."""
    allow: Names = []
    """Users who can log in, or `everyone` with an account there."""

    @property
    def everyone(self) -> bool:
        """Is everyone with an account there let in?"""
        return EVERYONE in self.allow

    @model_validator(mode="after")
    def _has_its_secrets(self) -> Self:
        for name in self.required_secrets():
            given = [key for key in (f"{name}_file", f"{name}_env") if getattr(self, key) is not None]
            if len(given) != 1:
                message = f"set {name}_file or {name}_env" + (", not both" if given else "")
                raise PydanticCustomError("secret", message)
        return self

    @model_validator(mode="after")
    def _lets_someone_in(self) -> Self:
        more = [key for key in self.rules if key not in ("allow", "admins") and getattr(self, key)]
        if self.everyone and more and not self.restricts:
            raise PydanticCustomError("rule", f"{more[0]} has no effect with allow: {EVERYONE}")
        # The settings of OAuth's authenticators in the values may still let someone in.
        if not isinstance(self, OAuth) and not any(getattr(self, key) for key in self.rules):
            raise PydanticCustomError("rule", f"nobody is let in: {self.how_to_let_in()}")
        return self

    def how_to_let_in(self) -> str:
        """What to set for somebody to be let in."""
        return f"set {', '.join(self.rules[:-1])} or {self.rules[-1]}"

    def required_secrets(self) -> tuple[str, ...]:
        """The secrets that this section must name."""
        return self.secrets

    def resolve_paths(self, directory: Path) -> None:
        """Have relative paths start at the directory of the deployment file."""
        for name in type(self).model_fields:
            if isinstance(path := getattr(self, name), Path):
                setattr(self, name, directory / os.path.expanduser(path))

    def read_secrets(self, where: Callable[..., str]) -> dict[str, str]:
        """The secrets by name, hidden from now on in whatever is printed. UserError if one is missing.

        `where`: file:line of a key of the section.
        """
        found: dict[str, str] = {}
        for name in self.secrets:
            path, variable = getattr(self, f"{name}_file"), getattr(self, f"{name}_env")
            place, text = "", ""
            if path is not None:
                place, text = f"{path}:1", _content(path)
            elif variable is not None:
                place, text = where(f"{name}_env"), os.environ.get(variable, "")
                if not text:
                    raise UserError(f"the environment variable {variable} is not set", where=place)
            else:
                continue
            text = text.strip("\r\n")
            if not text.strip() or "\n" in text:
                raise UserError(f"the {name.replace('_', ' ')} must be one line", where=place)
            if unfilled := placeholder(text):
                raise UserError(f"the placeholder {unfilled} has not been filled in", where=place)
            masking.remember(text)
            found[name] = text
        return found

    def values(self, facts: Facts) -> Values:
        """The chart's values for it. UserError if that chart cannot do what the section asks for."""
        if facts.chart < self.since:
            least, has = (f"{major}.{minor}" for major, minor in (self.since, facts.chart))
            raise UserError(f"login.{self.key} needs chart {least} or later ({self.since_why}), not {has}")
        config: Values = {
            "JupyterHub": {"authenticator_class": self.authenticator},
            self.settings: self.config(facts),
        }
        if who := self.who(facts):
            config["Authenticator"] = who
        return {"hub": {"config": config}}

    def config(self, facts: Facts) -> Values:
        """The settings of its own class."""
        raise NotImplementedError

    def who(self, facts: Facts) -> Values:
        """The settings of JupyterHub's own class: who is let in, and who is an administrator."""
        found: Values = {}
        if self.admins:
            found["admin_users"] = self.admins
        # Before JupyterHub 5, authenticators other than OAuth's let all in whom no setting keeps out.
        lenient = facts.chart < (4, 0) and not isinstance(self, OAuth)
        if self.lets_all_in():
            found |= {} if lenient else {"allow_all": True}
        elif self.allow or (lenient and not self.lets_groups_in()):
            found["allowed_users"] = self.allow or self.admins
        return found

    def lets_groups_in(self) -> bool:
        """Does a setting of its own class decide who is let in?"""
        return False

    def lets_all_in(self) -> bool:
        """Is everyone let in whom the provider lets in?"""
        return self.everyone

    async def discover(self, facts: Facts) -> Endpoints | None:
        """The provider's endpoints; None if it has none. ZeroJHubError if it does not say where they are."""
        return None

    async def ask(self, facts: Facts) -> Answer:
        """Ask the provider, before there is a hub, whether it will work."""
        return Answer()


class OAuth(Kind):
    """Log in with an account of a provider that speaks OAuth 2."""

    shared = ("Authenticator", "OAuthenticator")
    secrets = ("client_secret",)
    callback_path = "hub/oauth_callback"

    client_id: str
    """The client ID that the provider has given to the hub."""
    client_secret_file: SecretFile = None
    """File with the client secret (mode 0600)."""
    client_secret_env: Variable = None
    """Environment variable with the client secret, in place of the file."""

    def config(self, facts: Facts) -> Values:
        found: Values = {
            "client_id": self.client_id,
            "client_secret": facts.secrets["client_secret"],
            "oauth_callback_url": facts.callback,
        }
        return found | self.own(facts)

    def own(self, facts: Facts) -> Values:
        """The settings that other providers do not have."""
        return {}

    async def ask(self, facts: Facts) -> Answer:
        from zerojhub.logins import oauth

        assert facts.endpoints  # of every provider of this sort
        return await oauth.ask(self, facts.endpoints, facts)


class SelfHosted(OAuth):
    """A provider that may be a server of your own, with a certificate of your own authority."""

    ca_file: Path | None = None
    """File with the certificate authority (PEM) of the provider, if computers do not trust it anyway."""

    def config(self, facts: Facts) -> Values:
        found = super().config(facts)
        if facts.cacert:
            found["http_request_kwargs"] = {"ca_certs": CA_PATH}
        return found

    def values(self, facts: Facts) -> Values:
        return with_ca(super().values(facts), facts)


CA_PATH = "/usr/local/etc/jupyterhub/login-ca.pem"
"""Where the hub's pod has the certificate authority of the provider."""


def with_ca(values: Values, facts: Facts) -> Values:
    """The values, with the provider's certificate authority as a file in the hub's pod."""
    if facts.cacert:
        values["hub"]["extraFiles"] = {"login-ca": {"mountPath": CA_PATH, "stringData": facts.cacert, "mode": 0o644}}
    return values


def _content(path: Path) -> str:
    try:
        return private.read(path)
    except UserError as error:
        error.hint = error.hint or f"create it with: (umask 077; cat > {path.name}), the secret, Enter and Ctrl-D"
        raise
