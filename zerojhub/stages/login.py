"""How users log in, where the deployment says so: the provider, its secrets, and what becomes of them in the chart's values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from zerojhub import tls
from zerojhub.deployment import Deployment
from zerojhub.errors import Problems, UserError, ZeroJHubError
from zerojhub.hub.charts import ChartArchive, at
from zerojhub.logins.facts import Answer, Facts
from zerojhub.logins.kind import Kind, OAuth
from zerojhub.run import Run
from zerojhub.stage import Found, Stage
from zerojhub.stages.host_name import host_of
from zerojhub.stages.preflight import Preflight

if TYPE_CHECKING:
    from zerojhub.hub.values import Underlying

NEWEST = (99, 0)
"""The chart's version for questions that do not depend on it."""


class Login(Stage[Answer]):
    """Ask the provider of the users' accounts whether it will work with the hub.

    Whether it is reachable, knows the client and its secret, and would send users back to the hub; says what nobody can know
    before a person has logged in. Only where the deployment has `login`. Creates nothing.
    """

    name = "login"
    needs = (Preflight,)

    @classmethod
    def applies(cls, deployment: Deployment) -> bool:
        return deployment.login is not None

    async def check(self, run: Run) -> list[ZeroJHubError]:
        return (await run.once(ask, run)).problems

    async def look(self, run: Run) -> Found[Answer]:
        answer = await run.once(ask, run)
        if answer.problems:
            raise Problems(answer.problems)
        title = kind_of(run.deployment).title
        untested = f"not tested: {', '.join(answer.untested)}" if answer.untested else ""
        return Found(": ".join(filter(None, [title, "; ".join(filter(None, [*answer.proven, untested]))])), answer)


def kind_of(deployment: Deployment) -> Kind:
    """The chosen way to log in."""
    assert deployment.login  # or else the stage does not apply
    return deployment.login.kind


async def ask(run: Run) -> Answer:
    """Ask the provider. UserError for what the deployment lacks to ask it at all."""
    kind = kind_of(run.deployment)
    return _placed(await kind.ask(await facts(run)), where(run.deployment))


async def facts(run: Run) -> Facts:
    """All that the values depend on, but for the chart. UserError or ZeroJHubError if some of it cannot be had."""
    # Several stages want them: a provider that cannot be reached is waited for once.
    found = await run.once(_facts, run)
    if isinstance(found, ZeroJHubError):
        raise found
    return found


async def _facts(run: Run) -> Facts | ZeroJHubError:
    kind, place = kind_of(run.deployment), where(run.deployment)
    try:
        callback = callback_url(run.deployment, await host_of(run))
        found = Facts(NEWEST, callback, secrets=kind.read_secrets(place), cacert=_authority(kind, place))
        return replace(found, endpoints=await kind.discover(found))
    except ZeroJHubError as error:
        error.where = error.where or place()
        return error


async def underlying(run: Run, chart: ChartArchive) -> Underlying | None:
    """What `login` stands for in the values of that chart; None if the deployment has none. UserError if it cannot do that."""
    from zerojhub.hub.values import Underlying

    if run.deployment.login is None:
        return None
    kind, place = kind_of(run.deployment), where(run.deployment)
    if not isinstance(at(chart.defaults, "hub", "config"), dict):
        raise UserError(
            f"chart {chart.name} has no hub.config, and login cannot be translated for it",
            where=place(),
            hint="configure the authenticator in hub.values",
        )
    found = replace(await facts(run), chart=chart.major_minor)
    try:
        values = kind.values(found)
    except UserError as error:
        error.where = error.where or place()
        raise
    rules = f"in login.{kind.key}, {kind.how_to_let_in()}"
    return Underlying(values, place(), rules, (*kind.shared, kind.settings))


def callback_url(deployment: Deployment, host: str | None) -> str:
    """The URL to which the provider sends its users back; empty if it sends them nowhere, or it is not known.

    `host`: the hub's full host name. UserError if the URL is not known, and the provider needs it.
    """
    from zerojhub.hub.values import UserValues

    kind, hub = kind_of(deployment), deployment.hub
    values: dict[str, Any] = UserValues(hub.values).values
    for section in (kind.settings, *kind.shared):
        if given := at(values, "hub", "config", section, "oauth_callback_url"):
            return str(given)
    if kind.callback_path is None:
        return ""
    if host is None:
        if not isinstance(kind, OAuth):
            return ""
        raise UserError(
            f"login.{kind.key} needs the hub's host name, to which {kind.title} sends users back",
            where=where(deployment)(),
            hint="hub: {host: hub.example.org, https: true}",
        )
    https = bool(hub.https or at(values, "proxy", "https", "enabled"))
    port = ""
    if (at(values, "proxy", "service", "type") or hub.expose) == "NodePort":
        scheme = "https" if https else "http"
        number = at(values, "proxy", "service", "nodePorts", scheme)
        if number is None and isinstance(kind, OAuth):
            raise UserError(
                f"login.{kind.key} needs the port in the URL to which {kind.title} sends users back",
                where=where(deployment)(),
                hint=f"set proxy.service.nodePorts.{scheme} in hub.values to a port from 30000 to 32767",
            )
        port = f":{number}"
    base = str(at(values, "hub", "baseUrl") or "/").strip("/")
    return "/".join(filter(None, [f"{'https' if https else 'http'}://{host}{port}", base, kind.callback_path]))


def where(deployment: Deployment) -> Callable[..., str]:
    """file:line of a key of the section; without one, of the section."""
    key = kind_of(deployment).key
    return lambda *place: deployment.where("login", key, *place)


def _placed(answer: Answer, place: Callable[..., str]) -> Answer:
    """The answer; problems without a place have that of the section."""
    for problem in answer.problems:
        problem.where = problem.where or place()
    return answer


def _authority(kind: Kind, place: Callable[..., str]) -> str | None:
    """The text of the section's `ca_file`; None if it names none. UserError if it is not a certificate."""
    path = getattr(kind, "ca_file", None)
    return tls.read_authority(path, place("ca_file")) if path else None
