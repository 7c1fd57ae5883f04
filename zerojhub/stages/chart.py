"""The hub itself: a Helm release whose pods run."""

from __future__ import annotations

import contextlib
import re
import secrets
import time
from base64 import b64decode
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import anyio

from zerojhub import graph
from zerojhub.data import reattach
from zerojhub.data.keep import keep
from zerojhub.errors import Problems, UserError, ZeroJHubError
from zerojhub.hub import needs
from zerojhub.hub.charts import at
from zerojhub.hub.pods import deployment, image_of, is_stopped, public_services
from zerojhub.kube import kinds, namespaces, volumes
from zerojhub.kube.client import KubeError
from zerojhub.kube.labels import USER_SERVER
from zerojhub.kube.types import Deployment
from zerojhub.openstack import quota
from zerojhub.openstack.clusters import OWNER_LABEL
from zerojhub.retry import Fault, OutcomeUnknown
from zerojhub.run import Run
from zerojhub.stage import Found, Missing, Stage, Teardown, Wrong
from zerojhub.stages import cluster
from zerojhub.stages.access import Access
from zerojhub.stages.cluster import Cluster
from zerojhub.stages.helm import HelmProgram, hub_release
from zerojhub.stages.kept import find as find_kept
from zerojhub.stages.kept_certificate import KeptCertificate
from zerojhub.stages.storage import StorageClass
from zerojhub.stages.template import find as find_template
from zerojhub.stages.values import Rendered, Values, kubernetes_of, render
from zerojhub.stages.volumes import Volumes
from zerojhub.tasks import gather
from zerojhub.text import plural
from zerojhub.waiting import NotYet, TimedOut, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from zerojhub.data.saved import Saved
    from zerojhub.helm.client import Helm
    from zerojhub.hub.charts import ChartValues
    from zerojhub.hub.release import InstalledRelease
    from zerojhub.hub.secrets import Secrets
    from zerojhub.kube.explain import Trouble

START_TIMEOUT = 600
"""Seconds for the hub's pods to become ready: images are pulled and a volume is provisioned."""
INSTALL_TIMEOUT = 300
"""Seconds for Helm, which waits only for the chart's own hooks."""
UNINSTALL_TIMEOUT = 30
"""Seconds for Helm to request the deletion of everything in the release."""
STOP_TIMEOUT = 180
"""Seconds for the pods of the hub and its users to stop."""


WATCH_INTERVAL = 2
"""Seconds between two looks at what the chart's hooks wait for."""
STUCK = 60
"""Seconds for Helm to end when no hook is running."""
START = {"spec": {"replicas": 1}}
"""What starts a hub that was stopped for its database to be replaced."""


@dataclass(frozen=True)
class Release:
    """The hub's Helm release. `values`: those it was installed with, secrets included."""

    name: str
    namespace: str
    revision: int
    secrets: Secrets
    values: dict[str, Any] = field(repr=False)


class Chart(Stage[Release]):
    """The JupyterHub chart, as a Helm release whose pods are ready.

    Installs or upgrades the release when its chart or values differ. What does not start is explained by its pods, events
    and claims. A hub that `zerojhub move` has moved to another deployment is not started. `down` keeps the volumes of users
    and of the hub and records in Cinder whose they are, then uninstalls the release, load balancers first.
    """

    name = "chart"
    needs = (Cluster, HelmProgram, StorageClass, Values, Volumes)
    after = (KeptCertificate,)
    undo_needs = (Cluster, Access)

    async def check(self, run: Run) -> list[ZeroJHubError]:
        """Room in the quotas for what a new cluster's hub creates besides; a warning if there is none for its users."""
        template = await cluster.missing(run)
        if template is None:
            return []  # `do` checks it for a cluster that is there
        try:
            rendered = await run.once(render, run, kubernetes_of(run, await find_template(run)))
        except UserError:
            return []  # reported by the stage `values`
        room, of_cluster = await run.once(quota.room, run.cloud), await cluster.needed(run, template)
        of_both = of_cluster + await _needed(run, rendered)
        # The stage `cluster` reports what the cluster lacks.
        reported = [str(each) for each in quota.shortages(room, of_cluster)]
        lacking = [each for each in quota.shortages(room, of_both) if str(each) not in reported]
        if not lacking and not reported:
            await _warn_for_users(run, rendered, room, of_both)
        return [*lacking]

    async def look(self, run: Run) -> Found[Release] | Missing[Release] | Wrong[Release]:
        from zerojhub.hub.release import difference
        from zerojhub.hub.secrets import Secrets

        name, namespace = run.deployment.release, run.deployment.namespace
        installed, late, services = await gather(
            run.once(hub_release, run), unavailable(run), public_services(run[Access].kube, namespace, name)
        )
        if installed is None:
            return Missing(f"there is no release {name} in namespace {namespace}")
        kept = Secrets.of(run.folder, installed.values)
        release = Release(name, namespace, installed.revision, kept, installed.values)
        if moved := await _moved(run):
            return Wrong(moved.message, release, moved.hint)
        if differs := difference(installed, run[Values].chart, run[Values].values(kept, installed.values)):
            return Wrong(differs, release)
        if not services:  # a `down` that was interrupted deletes it first
            return Wrong("its service proxy-public is missing", release)
        if late:
            return Wrong(f"not available: {', '.join(late)}", release)
        run[Values].remember(run.folder)  # Helm has rendered them
        return Found(f"{installed.chart} in namespace {namespace}, revision {installed.revision}", release)

    async def do(self, run: Run, state: Missing[Release] | Wrong[Release]) -> None:
        from zerojhub.hub.release import difference
        from zerojhub.hub.secrets import Secrets

        chart, namespace = run[Values].chart, run.deployment.namespace
        if moved := await _moved(run):
            raise moved
        installed = await hub_release(run)
        kept = Secrets.of(run.folder, installed.values if installed else None)
        kept.keep(run.folder)
        values = run[Values].values(kept, installed.values if installed else None)
        if installed and installed.status not in ("deployed", "failed"):
            await _recover(run, installed)
        if installed and (
            installed.chart != f"{chart.name}-{chart.version}" or _image(installed.values) != _image(values)
        ):
            await _save_database(run, installed)
        # A release that is as it should be, but whose pods are late, is only waited for. With a stopped hub, Helm also puts back
        # what a move has changed, such as the type of a Service.
        deployments = await _deployments(run)
        stopped = not deployments or any(map(is_stopped, deployments))
        lost = not await public_services(run[Access].kube, namespace, run.deployment.release)
        if installed is None and (lacking := await _lacking(run)):
            raise Problems(lacking)
        if installed is None or difference(installed, chart, values) or stopped or lost:
            await namespaces.ensure(run[Access].kube, namespace)
            await _install(run, values)
        for each in await _deployments(run):
            if is_stopped(each):  # of a chart that does not say how many replicas it has
                await run[Access].kube.merge(kinds.DEPLOYMENT, each["metadata"]["name"], namespace, START)
        await _wait(run)

    async def undo(self, run: Run, teardown: Teardown) -> None:
        from zerojhub.helm.client import ReleaseNotFound

        kube, namespace = run[Access].kube, run.deployment.namespace
        if HelmProgram not in run and await _has_release(run):
            await graph.ensure(run, HelmProgram)
        await _keep_data(run, teardown)
        await _delete_load_balancers(run)
        if HelmProgram in run:
            run.say("uninstalling the release")
            with contextlib.suppress(ReleaseNotFound):
                # What it deletes is waited for below: Helm itself would wait for an answer that does not come.
                await _helm(run, timeout=UNINSTALL_TIMEOUT).uninstall(run.deployment.release, namespace=namespace)
        for pod in await kube.list(kinds.POD, namespace, labels=f"component={USER_SERVER}"):
            await kube.delete(kinds.POD, pod["metadata"]["name"], namespace)
        await _wait_for_pods(run)
        await volumes.delete(kube, namespace, teardown.doomed)
        await volumes.wait_for_deletion(kube, namespace, run.say)
        await volumes.wait_until_detached(kube, namespace, run.say)
        if await namespaces.is_ours(kube, namespace) and not await kube.list(kinds.PERSISTENT_VOLUME_CLAIM, namespace):
            run.say(f"deleting namespace {namespace}")
            await kube.delete(kinds.NAMESPACE, namespace, wait=120)


async def _needed(run: Run, rendered: Rendered) -> quota.Needs:
    """What the hub takes of the quotas. Kept volumes are given back to it."""
    kept = await run.once(find_kept, run)
    has_volume = kept.has_accounts or any(map(reattach.is_hub, kept.volumes))
    service_type = at(rendered.user.values, "proxy", "service", "type") or run.deployment.hub.expose
    return needs.of_hub(rendered.merged(), service_type, run.deployment.storage.type, has_volume=has_volume)


async def _lacking(run: Run) -> list[UserError]:
    """Where the quotas have no room for a new hub. One that was somewhere else before gets what that has released."""
    if (await run.once(find_kept, run)).has_accounts:
        return []
    return await quota.lacking(run.cloud, await _needed(run, run[Values]))


async def _warn_for_users(run: Run, rendered: Rendered, room: quota.Room, others: quota.Needs) -> None:
    """Say so if not every user whom the values name will get a volume, or not even one if they name none."""
    kept = {each.owner.user for each in (await run.once(find_kept, run)).volumes}
    named = needs.named_users(rendered.merged())
    count = len(named - kept) if named else 1
    of_users = needs.of_users(rendered.merged(), count, run.deployment.storage.type)
    if lacking := quota.shortages(room, others + of_users):
        whose = f"the {plural(count, 'user')} whom the values name" if named else "users"
        run.note(f"warning: no room for the volumes of {whose}: {'; '.join(map(str, lacking))}")


async def _moved(run: Run) -> ZeroJHubError | None:
    """That the hub was moved to another deployment, as an error."""
    from zerojhub.hub.standstill import moved_to

    target = await moved_to(run[Access].kube, run.deployment.namespace)
    if target is None:
        return None
    return ZeroJHubError(
        f"the hub moves to deployment {target}, or has moved there",
        hint="zerojhub move, with --back or without, brings it here again",
    )


async def _has_release(run: Run) -> bool:
    """Is there a release to uninstall? Where `up` could not get Helm, there is none, and `down` does not need it either."""
    labels = f"owner=helm,name={run.deployment.release}"
    return bool(await run[Access].kube.list(kinds.SECRET, run.deployment.namespace, labels=labels))


async def _wait_for_pods(run: Run) -> None:
    """Wait until the pods of the hub and its users are gone: their volumes are in use until then."""
    kube, namespace = run[Access].kube, run.deployment.namespace

    async def look() -> bool | NotYet:
        left = await kube.list(kinds.POD, namespace, labels=f"release={run.deployment.release}")
        return NotYet(f"waiting for {plural(len(left), 'pod')} to stop") if left else True

    with contextlib.suppress(TimedOut):
        await wait_until(look, timeout=STOP_TIMEOUT, pause=(0.5, 2), say=run.say)


async def _keep_data(run: Run, teardown: Teardown) -> None:
    """Keep the volumes, and what the hub needs to read its database, before anything is removed."""
    installed = await hub_release(run) if HelmProgram in run else None
    if installed:
        await keep_secrets(run, installed.values)
    leaving = run[Cluster]["labels"].get(OWNER_LABEL) == run.deployment.name
    await _keep_volumes(run, installed, except_for=teardown.doomed, leaving=leaving)


async def _keep_volumes(
    run: Run, installed: InstalledRelease | None, *, except_for: Collection[str] = (), leaving: bool = False
) -> None:
    await keep(
        run[Access].kube,
        run.cloud,
        deployment=run.deployment.name,
        namespace=run.deployment.namespace,
        cluster=run[Cluster]["uuid"],
        safe=names_are_safe(installed) if installed else None,
        say=run.say,
        except_for=except_for,
        leaving=leaving,
    )


async def _recover(run: Run, installed: InstalledRelease) -> None:
    """Have Helm accept an upgrade after one that was interrupted.

    A release that was never deployed is uninstalled, with the hub's claim. Its volume may have the accounts of an earlier
    cluster on it, so it is kept, and given back afterwards.
    """
    from zerojhub.hub.release import recover

    await _keep_volumes(run, installed)
    await recover(_helm(run), run.deployment.release, run.deployment.namespace, installed)
    run.forget_answers()
    state = await Volumes().look(run)
    if not isinstance(state, Found):
        await Volumes().do(run, state)


def names_are_safe(installed: InstalledRelease) -> bool | None:
    """Does the hub name its users' claims by KubeSpawner's scheme `safe`? None if its chart does not tell."""
    from zerojhub.hub import values

    major = re.match(r".*-(\d+)\.", installed.chart)
    return values.names_are_safe(installed.values, int(major[1])) if major else None


async def keep_secrets(run: Run, values: ChartValues) -> None:
    """Keep the release's secrets."""
    (await _secrets(run, values)).keep(run.folder)


async def secrets_in_use(run: Run) -> Secrets:
    """The secrets of the installed release, `run[Chart]`."""
    return await _secrets(run, run[Chart].values)


async def _secrets(run: Run, values: ChartValues) -> Secrets:
    """The release's secrets, with the keys that the chart has generated for its users' auth state."""
    from zerojhub.hub.secrets import CRYPT_KEYS, Secrets

    listed = await run[Access].kube.list(kinds.SECRET, run.deployment.namespace, labels=labels_of(run))
    keys = next((data[CRYPT_KEYS] for each in listed if CRYPT_KEYS in (data := each.get("data", {}))), "")
    kept = Secrets.of(run.folder, values)
    return replace(kept, crypt_keys=kept.crypt_keys or b64decode(keys).decode())


async def _save_database(run: Run, installed: InstalledRelease) -> None:
    """Save the hub's database before another version of JupyterHub may change it. `up --undo` puts it back."""
    from zerojhub.data import saved

    kube, name, namespace = run[Access].kube, run.deployment.release, run.deployment.namespace
    if await _deployments(run) and not await saved.save(
        kube, namespace, name, installed.chart, installed.revision, run.say
    ):
        run.note("warning: the hub's database is not on a volume of the cluster, and was not saved before the upgrade")


def _image(values: ChartValues) -> tuple[object, object]:
    """The name and the tag of the hub's image, where the values have another than the chart."""
    return at(values, "hub", "image", "name"), at(values, "hub", "image", "tag")


async def undo_upgrade(run: Run, confirm: Callable[[str], None]) -> tuple[Saved, bool]:
    """Have the hub be as it was before its chart's version or its image was changed last. `confirm` raises for a no.

    Returns what it was, and whether only its image had changed. UserError if there was no such change. The deployment's
    file stays as it is.
    """
    from zerojhub.data import saved

    kube, name, namespace = run[Access].kube, run.deployment.release, run.deployment.namespace
    before, installed = await saved.saved(kube, namespace), await hub_release(run)
    image = image_of(await deployment(kube, namespace, name)) if installed else None
    if before is None or installed is None or (installed.chart == before.chart and image == (before.image or image)):
        raise UserError("there is no upgrade to undo", hint="zerojhub helm history shows the release's revisions")
    steps = f"chart {installed.chart} to {before.chart}"
    if installed.chart == before.chart:
        steps = f"image {image} to {before.image}"
    confirm(
        f"Go back from {steps}, with the accounts of {before.time[:16]}? "
        "Accounts and tokens created since are lost; users' files stay."
    )
    await saved.put_back(kube, _helm(run), namespace, name, before, run.say)
    run.forget_answers()
    return before, installed.chart == before.chart


async def release_as_installed(run: Run) -> Release | None:
    """The release as it is installed, whatever the deployment asks for; None when there is none."""
    from zerojhub.hub.secrets import Secrets

    name, namespace = run.deployment.release, run.deployment.namespace
    installed = await hub_release(run)
    if installed is None:
        return None
    kept = Secrets.of(run.folder, installed.values)
    return Release(name, namespace, installed.revision, kept, installed.values)


async def announce(run: Run, text: str | None) -> bool:
    """Show an announcement on the hub's pages (None: no longer), which restarts the hub. False if it is shown already.

    Nothing else of the release changes, even if the deployment has changed since. ZeroJHubError if its chart has.
    """
    from zerojhub.hub import message, proof
    from zerojhub.hub.release import difference

    kube, name, namespace = run[Access].kube, run.deployment.release, run.deployment.namespace
    installed = await hub_release(run)
    if installed is None:
        raise ZeroJHubError("there is no hub", hint="zerojhub up")
    if moved := await _moved(run):
        raise moved
    if differs := difference(installed, run[Values].chart, installed.values):
        raise ZeroJHubError(differs, hint="zerojhub up, then announce it")
    if message.shown(installed.values) == text:
        return False
    proven = await proof.recorded(kube, namespace, name, installed.revision)
    await _install(run, message.with_message(installed.values, text))
    await _wait(run)
    if proven and (announced := await hub_release(run)):
        await proof.record(kube, namespace, name, announced.revision, proven)
    return True


def labels_of(run: Run) -> str:
    """The selector of the hub's own parts; the users' servers carry the release's label too."""
    return f"release={run.deployment.release},component!={USER_SERVER}"


async def unavailable(run: Run) -> list[str]:
    """The deployments of the release that are not available, or stopped; `hub` when there are none at all."""
    from zerojhub.kube.explain import is_available

    deployments = await _deployments(run)
    late = [each["metadata"]["name"] for each in deployments if is_stopped(each) or not is_available(each)]
    return late if deployments else ["hub"]


async def _deployments(run: Run) -> list[Deployment]:
    return await run[Access].kube.list(kinds.DEPLOYMENT, run.deployment.namespace, labels=labels_of(run))


def _helm(run: Run, timeout: int = INSTALL_TIMEOUT) -> Helm:
    from zerojhub.helm.client import Helm

    return Helm(run[Access], run[HelmProgram], timeout=timeout)


async def _install(run: Run, values: dict[str, Any]) -> None:
    from zerojhub.helm.client import HelmError
    from zerojhub.hub.release import description_of

    machine, chart = run[Access].machine, run[Values].chart
    archive = f"/tmp/zerojhub-chart-{secrets.token_hex(4)}.tgz"
    await machine.write(archive, chart.content)
    run.say(f"helm upgrade --install {run.deployment.release}, chart {chart.name}-{chart.version}")
    installing = anyio.CancelScope()

    async def install() -> None:
        try:
            await _helm(run).install_or_upgrade(
                run.deployment.release, archive, values,
                namespace=run.deployment.namespace, create_namespace=False, description=description_of(chart),
            )  # fmt: skip
        finally:
            installing.cancel()

    try:
        await gather(install(), _watch_hooks(run, installing))
    except HelmError as error:
        raise _failure(f"helm could not install the hub: {error.message}", await _troubles(run)) from None
    finally:
        with anyio.CancelScope(shield=True), anyio.move_on_after(STUCK):
            await machine.run(["rm", "-f", "--", archive], check=False, repeatable=True)


async def _watch_hooks(run: Run, scope: anyio.CancelScope) -> None:
    """Report what the chart's hooks wait for, until the scope is cancelled. ZeroJHubError when it will not happen.

    OutcomeUnknown when there is nothing that Helm could still wait for but a request that Kubernetes does not answer.
    """
    from zerojhub.kube.explain import Patience

    patience, busy = Patience(), time.monotonic()
    with scope:
        while True:
            await anyio.sleep(WATCH_INTERVAL)
            if time.monotonic() - busy > STUCK:
                silence = ZeroJHubError("Kubernetes does not respond to Helm", where="helm")
                raise OutcomeUnknown(Fault("Kubernetes", "no response in time"), silence)
            with contextlib.suppress(KubeError):
                troubles = await _troubles(run)
                if troubles or await _has_running_jobs(run):
                    busy = time.monotonic()
                if patience.is_over(troubles):
                    raise _failure("the chart's hooks cannot finish", troubles)
                for trouble in troubles[:1]:
                    run.say(f"{trouble.subject} {trouble.why}")


async def _has_running_jobs(run: Run) -> bool:
    """Whether a pod of a job runs in the namespace: a chart's hooks are jobs."""
    pods = await run[Access].kube.list(kinds.POD, run.deployment.namespace)
    jobs = [pod for pod in pods if any(owner["kind"] == "Job" for owner in pod["metadata"].get("ownerReferences", []))]
    return any(pod["status"]["phase"] in ("Pending", "Running") for pod in jobs)


async def _wait(run: Run) -> None:
    """Wait until every deployment of the release is available, and still is a second later."""
    from zerojhub.kube.explain import Patience

    patience = Patience()
    troubles: list[Trouble] = []

    async def available() -> NotYet | None:
        nonlocal troubles
        if not (late := await unavailable(run)):
            await anyio.sleep(1)
            late = await unavailable(run)
        if not late:
            return None
        troubles = await _troubles(run)
        if patience.is_over(troubles):
            raise _failure(f"the hub does not start: {', '.join(late)} not available", troubles)
        waiting = f"{troubles[0].subject} {troubles[0].why}" if troubles else f"waiting for {', '.join(late)}"
        return NotYet(waiting)

    try:
        await wait_until(available, timeout=START_TIMEOUT, pause=(0.3, 2), say=run.say)
    except TimedOut:
        late = await unavailable(run)
        raise _failure(f"the hub does not start: {', '.join(late)} not available", troubles) from None


async def _troubles(run: Run) -> list[Trouble]:
    from zerojhub.kube.explain import why_not_ready

    return await why_not_ready(run[Access].kube, run.deployment.namespace, labels_of(run))


def _failure(message: str, troubles: list[Trouble]) -> ZeroJHubError:
    """The error with Kubernetes' own reasons below it."""
    return ZeroJHubError(message, details=[f"  {line}" for each in troubles for line in str(each).splitlines()])


async def _delete_load_balancers(run: Run) -> None:
    """Delete their Services first: only a running cluster removes their load balancers and addresses."""
    kube, namespace = run[Access].kube, run.deployment.namespace
    for service in await kube.list(kinds.SERVICE, namespace):
        if service["spec"].get("type") == "LoadBalancer":
            name = service["metadata"]["name"]
            run.say(f"waiting until the load balancer of service {name} is deleted")
            await kube.delete(kinds.SERVICE, name, namespace, wait=300)
