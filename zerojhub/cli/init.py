"""zerojhub init: a deployment to start from."""

from __future__ import annotations

from typing import Annotated

import typer

from zerojhub.cli.help import App
from zerojhub.cli.options import DEFAULT_FILE, FileOption, OutputOption, QuietOption, completed
from zerojhub.report.results import Output

app = App()


def profile_names() -> list[str]:
    from zerojhub import profiles

    return [profile.name for profile in profiles.listed()]


def login_kinds() -> list[str]:
    from zerojhub import logins

    return [kind.key for kind in logins.KINDS]


@app.command()
def init(
    profile: Annotated[
        str,
        typer.Argument(
            metavar="PROFILE",
            help="minimal, autoscaled, classroom, cluster-api, gpu, https or legacy-magnum.",
            autocompletion=completed(profile_names),
        ),
    ] = "minimal",
    login: Annotated[
        str | None,
        typer.Option(
            "--login",
            metavar="KIND",
            help="How users log in, in place of the profile's way: cilogon, github, gitlab, google, keystone, ldap, lti, native, "
            "oidc or shared-password.",
            autocompletion=completed(login_kinds),
        ),
    ] = None,
    host: Annotated[
        str | None,
        typer.Option("--host", metavar="NAME", help="With --login: the hub's host name, for the URLs to register."),
    ] = None,
    show_all: Annotated[bool, typer.Option("--list", help="List the profiles and write nothing.")] = False,
    file: FileOption = DEFAULT_FILE,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
) -> None:
    """Write a hub.yaml and a config.yaml to start from, with comments. Existing files are not overwritten.

    With --login, hub.yaml says what to register at the provider, and with which callback URL.

    Examples:
        zerojhub init classroom
        zerojhub init --login github --host hub.example.org
    """
    from zerojhub import logins, profiles
    from zerojhub.errors import UserError
    from zerojhub.report.profiles import show_profiles, show_written

    if host and not login:
        raise UserError("--host is for --login KIND")
    if show_all:
        show_profiles(profiles.listed(), output)
        return
    kind = logins.find(login) if login else None
    host = host or profiles.HOST
    steps = profiles.instructions(kind, host) if kind else []
    show_written(profiles.write(profile, file, kind, host), file, output, steps=steps, quiet=quiet)
