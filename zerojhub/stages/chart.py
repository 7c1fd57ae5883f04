"""The hub itself: a Helm release whose pods run."""

from __future__ import annotations

import contextlib
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

from zerojhub.errors import ZeroJHubError
from zerojhub.stages.access import Access
from zerojhub.stages.base import Found, Missing, Stage, Wrong
from zerojhub.stages.helm import HelmProgram
from zerojhub.stages.storage import StorageClass
from zerojhub.stages.values import Values, misfit_error

if TYPE_CHECKING:
    from zerojhub.helm import Helm
    from zerojhub.hub.secrets import Secrets
    from zerojhub.journey import Hub
    from zerojhub.kube.explain import Trouble

PATIENCE = 600
"""Seconds for the hub to come up: images are pulled and a volume is made."""
INSTALL = 300
"""Seconds for Helm, which waits only for the chart's own hooks."""


@dataclass(frozen=True)
class Release:
    """A hub's Helm release, with all of its deployments available."""

    name: str
    namespace: str
    revision: int
    secrets: Secrets


class Chart(Stage):
    """The JupyterHub chart, as a Helm release whose pods are up.

    Installs or upgrades the release when its chart or values differ; what does not come up is told from pods, events and
    claims. `down` uninstalls it, load balancers first; users' volumes are kept and listed.
    """

    name = "chart"
    needs = (HelmProgram, StorageClass, Values)

    async def look(self, hub: Hub) -> Found | Missing | Wrong:
        from zerojhub.hub.release import difference, installed_release
        from zerojhub.hub.secrets import Secrets
        from zerojhub.tasks import gather

        name, namespace = release_name(hub), hub.deployment.hub.namespace
        there, late = await gather(installed_release(_helm(hub), name, namespace), unavailable(hub))
        if there is None:
            return Missing(f"there is no release {name} in namespace {namespace}")
        kept = Secrets.of(hub.state, there.values)
        if differs := difference(there, hub[Values].chart, hub[Values].values(kept)):
            return Wrong(differs)
        if late:
            return Wrong(f"not available: {', '.join(late)}")
        release = Release(name, namespace, there.revision, kept)
        return Found(f"{there.chart} in namespace {namespace}, revision {there.revision}", release)

    async def do(self, hub: Hub, state: Missing | Wrong) -> None:
        from zerojhub.hub.release import difference, installed_release, recover
        from zerojhub.hub.secrets import Secrets

        chart, version = hub[Values].chart, hub[Access].version
        if misfit := chart.misfit(version):
            raise misfit_error(misfit, f"the cluster has {version}", version, str(hub.deployment.path))
        name, namespace = release_name(hub), hub.deployment.hub.namespace
        there = await installed_release(_helm(hub), name, namespace)
        kept = Secrets.of(hub.state, there.values if there else None)
        kept.keep(hub.state)
        values = hub[Values].values(kept)
        if there:
            await recover(_helm(hub), name, namespace, there)
        # A release that is as it should be, and whose pods are late, is only waited for.
        if there is None or difference(there, chart, values) or not await _deployments(hub):
            await _make_namespace(hub)
            await _install(hub, values)
        await _wait(hub)

    async def undo(self, hub: Hub) -> None:
        from zerojhub.helm import ReleaseNotFound
        from zerojhub.kube import volumes

        kube, namespace = hub[Access].kube, hub.deployment.hub.namespace
        await _delete_load_balancers(hub)
        hub.say("uninstalling the release")
        with contextlib.suppress(ReleaseNotFound):
            await _helm(hub).uninstall(release_name(hub), namespace=namespace, wait=True)
        for pod in await kube.list("v1/Pod", namespace, labels="component=singleuser-server"):
            await kube.delete("v1/Pod", pod["metadata"]["name"], namespace)
        if hub.delete_data:
            await volumes.delete_all(kube, namespace)
        hub.kept += [
            {"id": each.id, "name": each.name, "size_gb": each.size_gb, "owner": each.owner}
            for each in await volumes.keep(kube, namespace)
        ]
        await volumes.wait_for_deletion(kube, namespace, hub.say)
        there = await kube.get("v1/Namespace", namespace)
        if there and _is_ours(there) and not await kube.list("v1/PersistentVolumeClaim", namespace):
            hub.say(f"deleting namespace {namespace}")
            await kube.delete("v1/Namespace", namespace, wait=120)


def release_name(hub: Hub) -> str:
    """Helm's names are shorter than Kubernetes' namespaces."""
    return hub.deployment.hub.namespace[:53].rstrip("-")


def labels_of(hub: Hub) -> str:
    """The selector of the hub's own parts; the users' servers carry the release's label too."""
    return f"release={release_name(hub)},component!=singleuser-server"


async def unavailable(hub: Hub) -> list[str]:
    """The deployments of the release that are not available; `hub` when there are none at all."""
    from zerojhub.kube.explain import is_available

    deployments = await _deployments(hub)
    return [each["metadata"]["name"] for each in deployments if not is_available(each)] if deployments else ["hub"]


async def _deployments(hub: Hub) -> list[dict]:
    return await hub[Access].kube.list("apps/v1/Deployment", hub.deployment.hub.namespace, labels=labels_of(hub))


def _helm(hub: Hub) -> Helm:
    from zerojhub.helm import Helm

    return Helm(hub[Access], hub[HelmProgram], timeout=INSTALL)


async def _make_namespace(hub: Hub) -> None:
    from zerojhub.kube.client import OURS

    kube, namespace = hub[Access].kube, hub.deployment.hub.namespace
    if await kube.get("v1/Namespace", namespace) is None:
        await kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": OURS}})


def _is_ours(namespace: dict) -> bool:
    from zerojhub.kube.client import OURS

    return OURS.items() <= (namespace["metadata"].get("labels") or {}).items()


async def _install(hub: Hub, values: dict) -> None:
    from zerojhub.helm import HelmError
    from zerojhub.hub.release import description_of
    from zerojhub.kube.explain import why_not_ready
    from zerojhub.tasks import gather

    machine, chart = hub[Access].machine, hub[Values].chart
    archive = f"/tmp/zerojhub-chart-{secrets.token_hex(4)}.tgz"
    await machine.write(archive, chart.content)
    hub.say(f"helm upgrade --install {release_name(hub)}, chart {chart.name}-{chart.version}")
    narration = anyio.CancelScope()

    async def install() -> None:
        try:
            await _helm(hub).install_or_upgrade(
                release_name(hub), archive, values,
                namespace=hub.deployment.hub.namespace, create_namespace=False, description=description_of(chart),
            )  # fmt: skip
        finally:
            narration.cancel()

    try:
        await gather(install(), _narrate(hub, narration))
    except HelmError as error:
        troubles = await why_not_ready(hub[Access].kube, hub.deployment.hub.namespace, labels_of(hub))
        raise _failure(f"helm could not install the hub: {error.message}", troubles) from None
    finally:
        with anyio.CancelScope(shield=True):
            await machine.run(["rm", "-f", "--", archive], check=False)


async def _narrate(hub: Hub, scope: anyio.CancelScope) -> None:
    """Say what the chart's hooks wait for, until the scope is cancelled; an error when they wait in vain."""
    from zerojhub.kube.client import KubeError
    from zerojhub.kube.explain import Patience, why_not_ready

    patience = Patience()
    with scope:
        while True:
            await anyio.sleep(2)
            with contextlib.suppress(KubeError):
                troubles = await why_not_ready(hub[Access].kube, hub.deployment.hub.namespace, labels_of(hub))
                if patience.is_over(troubles):
                    raise _failure("the chart's hooks wait in vain", troubles)
                for trouble in troubles[:1]:
                    hub.say(f"{trouble.subject} {trouble.why}")


async def _wait(hub: Hub) -> None:
    """Until every deployment of the release is available, and still is a second later, saying why one is not."""
    from zerojhub.kube.explain import Patience, why_not_ready

    deadline, pause, patience = time.monotonic() + PATIENCE, 0.3, Patience()
    while True:
        while late := await unavailable(hub):
            troubles = await why_not_ready(hub[Access].kube, hub.deployment.hub.namespace, labels_of(hub))
            if patience.is_over(troubles) or time.monotonic() > deadline:
                raise _failure(f"the hub does not come up: {', '.join(late)} not available", troubles)
            hub.say(f"{troubles[0].subject} {troubles[0].why}" if troubles else f"waiting for {', '.join(late)}")
            await anyio.sleep(pause)
            pause = min(pause * 1.5, 2)
        await anyio.sleep(1)
        if not await unavailable(hub):
            return


def _failure(message: str, troubles: list[Trouble]) -> ZeroJHubError:
    """The error with what Kubernetes says of it, in place of what was waited for in vain."""
    return ZeroJHubError(message + "".join(f"\n  {trouble}" for trouble in troubles))


async def _delete_load_balancers(hub: Hub) -> None:
    """Their Services go first, as only the running cluster takes their load balancers and addresses away."""
    kube, namespace = hub[Access].kube, hub.deployment.hub.namespace
    for service in await kube.list("v1/Service", namespace):
        if service["spec"].get("type") == "LoadBalancer":
            name = service["metadata"]["name"]
            hub.say(f"waiting for the load balancer of service {name} to go")
            await kube.delete("v1/Service", name, namespace, wait=300)
