"""Profiles: ready-made deployments to start from, each a hub.yaml and a config.yaml in a folder of config/."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from pathlib import Path

from zerojhub import files
from zerojhub.errors import UserError
from zerojhub.logins.kind import Kind
from zerojhub.logins.shared_password import SharedPassword
from zerojhub.shipped import shipped
from zerojhub.text import nearest

DEFAULT = "minimal"
"""The profile of `zerojhub init` without a name."""
PASSWORD = "A-NEW-PASSWORD"
"""Placeholder in the files; each occurrence becomes a random password, so that no two hubs share one."""

HOST, CONTACT = "YOUR-HOST", "YOUR-E-MAIL-ADDRESS"
"""Placeholders for what only the user knows; they are refused until they have been filled in."""


@dataclass(frozen=True)
class Profile:
    """A profile; `what` says in one line what it is for."""

    name: str
    what: str


def listed() -> list[Profile]:
    """All profiles by name, the default first. `what` is the first line of the profile's hub.yaml."""
    files = sorted(
        shipped("config").glob("*/hub.yaml"), key=lambda file: (file.parent.name != DEFAULT, file.parent.name)
    )
    return [Profile(file.parent.name, file.read_text().partition("\n")[0].lstrip("# ")) for file in files]


def write(name: str, target: Path, login: type[Kind] | None = None, host: str = HOST) -> list[Path]:
    """Write the profile's hub.yaml to `target` and its config.yaml (0600) next to it. Returns the paths of what was written.

    `login`: how users log in, in place of the profile's own way; `host`: the hub's host name, which that may need.
    Raises UserError, and writes nothing, if the profile is unknown or one of the files exists.
    """
    names = [profile.name for profile in listed()]
    if name not in names:
        meant = nearest(name, names)
        raise UserError(
            f"unknown profile {name!r}", hint=f"did you mean {meant!r}?" if meant else f"profiles: {', '.join(names)}"
        )
    deployment, values = (shipped("config", name, file).read_text() for file in ("hub.yaml", "config.yaml"))
    contents = {target: deployment, target.with_name("config.yaml"): values}
    if login:
        if found := re.search(r"^  version: ([0-2]\..*?) ", deployment, re.M):
            raise UserError(f"profile {name} has chart {found[1]}, and login needs chart 3.0 or later")
        contents = {
            target: _with_login(deployment, login, host),
            target.with_name("config.yaml"): _without_authenticator(values),
            **{target.with_name(file): f"{PASSWORD}\n" for file in _passwords(login)},
        }
    for path in contents:
        if path.exists():
            raise UserError("already exists; nothing was written", where=str(path), hint="start in a new folder")
    for path, text in contents.items():
        before, *after = text.split(PASSWORD)
        text = before + "".join(secrets.token_urlsafe(24) + part for part in after)
        try:
            files.create(path, text.encode(), mode=0o644 if path == target else 0o600)
        except OSError as error:
            raise UserError(f"cannot be written: {error.strerror}", where=str(path)) from None
    return list(contents)


def instructions(login: type[Kind], host: str = HOST) -> list[str]:
    """What to do for users to log in, a line each."""
    hub = f"https://{host}"
    return [step.format(hub=hub, callback=f"{hub}/{login.callback_path}") for step in login.steps]


def _with_login(deployment: str, login: type[Kind], host: str) -> str:
    """The profile's hub.yaml, with a section `login`, and the host name if users come back to it."""
    deployment = re.sub(r"\A(.*?):.*", rf"\1. Users log in with {login.title}.", deployment)
    if login.callback_path:
        named = f"  host: {host}\n  https: true\n  contact: {CONTACT}   # for the certificate from Let's Encrypt\n"
        if re.search(r"^  host: ", deployment, re.M):
            deployment = re.sub(r"^  host: .*", f"  host: {host}", deployment, flags=re.M)
        else:
            deployment = deployment.replace("hub:\n", f"hub:\n{named}", 1)
    lines = [f"  # {line}" for line in instructions(login, host)]
    keys = [f"    {line}" for line in login.example.splitlines()]
    return "\n".join([deployment.rstrip("\n"), "login:", *lines, f"  {login.key}:", *keys, ""])


def _without_authenticator(values: str) -> str:
    """The profile's config.yaml without hub.config, which is all about its authenticator."""
    kept = re.sub(r"^  config:\n(    .*\n)+", "", values, flags=re.M)
    return re.sub(r"^hub:\n(?!  )", "", kept, flags=re.M)


def _passwords(login: type[Kind]) -> list[str]:
    """The files with passwords that nobody else gives out, so that they can be made up."""
    return re.findall(r"password_file: ([\w-]+)", login.example) if login is SharedPassword else []
