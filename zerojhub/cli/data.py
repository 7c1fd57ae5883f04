"""zerojhub data: the volumes of users and of the hub."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from zerojhub.cli.help import App
from zerojhub.cli.options import (
    DEFAULT_FILE,
    CloudOption,
    FileOption,
    OutputOption,
    QuietOption,
    YesOption,
    confirm,
    locks,
    logs_in,
    offer,
)
from zerojhub.errors import UserError, ZeroJHubError
from zerojhub.report.data import show_adopted, show_copied, show_doomed, show_grown, show_items, show_removed
from zerojhub.report.results import ListOutput, Output, show_drift
from zerojhub.text import nearest, plural

if TYPE_CHECKING:
    from zerojhub.data.adopt import Adoption
    from zerojhub.data.copy import Copied
    from zerojhub.data.grow import Grown
    from zerojhub.data.inventory import Item
    from zerojhub.run import Run
    from zerojhub.running import Data

HOME = "/home/jovyan"
"""Where a user's home is in their server, and in the pod of `data open`."""
USER_ID = 1000
"""Whose the files on users' volumes are (singleuser.uid)."""

app = App("See and change the volumes of the hub's users.")

UserArgument = Annotated[str, typer.Argument(metavar="USER", help="User, by name.")]
ServerOption = Annotated[
    str, typer.Option("--server", metavar="NAME", help="The user's named server.", show_default="the default server")
]


@app.command("list")
@logs_in
def list_volumes(
    file: FileOption = DEFAULT_FILE,
    cloud: CloudOption = None,
    output: Annotated[
        ListOutput, typer.Option("-o", "--output", metavar="table|json|yaml|csv", help="Output format.")
    ] = ListOutput.table,
) -> None:
    """List the volumes of users and of the hub, with size, used space and state.

    Also lists volumes that were kept without a cluster, claims whose volume is gone, and volumes that no claim has. Used
    space is known only of volumes that a running server uses.

    Examples:
        zerojhub data list
        zerojhub data list -o csv > volumes.csv
    """
    from zerojhub import running
    from zerojhub.cli.run import with_run

    data = with_run(running.data_of, file, cloud, silent=True)
    if data.cluster:
        show_drift(data.running.drift)
    show_items(data.items, output)


@app.command()
@logs_in
@locks
def adopt(
    volume: Annotated[str, typer.Argument(metavar="VOLUME", help="Volume, by name or UUID.")],
    user: Annotated[str | None, typer.Option("--user", metavar="USER", help="User who gets it.")] = None,
    server: ServerOption = "",
    hub: Annotated[bool, typer.Option("--hub", help="It is the hub's own volume, with its accounts.")] = False,
    file: FileOption = DEFAULT_FILE,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
    yes: YesOption = False,
) -> None:
    """Give a volume to a user: record in Cinder whose it is, and create a claim for it.

    Nothing is copied, and the volume keeps its files. Without a cluster, the next `zerojhub up` creates the claim. Asks
    before it takes a volume from another user.

    Examples:
        zerojhub data adopt 76d6d3d6-7f0c-4f3c-a6f5-5a3bbd2a7e1f --user ada
        zerojhub data adopt class-2024 --hub
    """
    if hub == (user is not None) or (hub and server):
        raise UserError("whose is it?", hint="--user USER, with --server NAME for a named server, or --hub")

    from zerojhub import graph, running
    from zerojhub.cli.run import with_run
    from zerojhub.data import adopt as adopting
    from zerojhub.data import kept
    from zerojhub.data.owner import Owner
    from zerojhub.hub.names import HUB_CLAIM
    from zerojhub.kube import volumes

    async def work(run: Run) -> tuple[Adoption, str | None]:
        data = await running.data_of(run)
        data.require_answers()
        if data.there is None:
            raise ZeroJHubError("the cloud has no Cinder, or the project may not use it")
        deployment = run.deployment
        claim = HUB_CLAIM if hub else ""
        owner = Owner(deployment.namespace, claim, deployment.name, user, server)
        planned = adopting.plan(volume, owner, data.items, data.here, data.there)
        volume_id, item = planned.volume["id"], planned.item
        if planned.taken_from:
            confirm(f"Volume {volume_id} belongs to {planned.taken_from}. Give it to {owner.label}?", yes=yes)
        with graph.step(run, "data") as step:
            if item and item.claim and item.persistent_volume and data.kube:
                await volumes.release(data.kube, deployment.namespace, item.persistent_volume, item.claim)
            await kept.mark(run.cloud, volume_id, planned.owner, had=planned.volume["metadata"])
            step.outcome, step.detail = "done", f"volume {volume_id} is {owner.label}'s"
        return planned, await give_back(run, volume_id)

    planned, problem = with_run(work, file, cloud, quiet=quiet, locked=True)
    show_adopted(planned.volume["id"], planned.owner.label, problem, output)


async def give_back(run: Run, volume_id: str) -> str | None:
    """Create the claim, if there is a cluster. The reason if the owner does not have the volume yet."""
    from zerojhub import graph
    from zerojhub.stages import Volumes

    if any(need not in run for need in Volumes.needs):
        return "the next `zerojhub up` gives it back"
    run.forget_answers()
    await graph.ensure(run, Volumes)
    return next((each for each in run[Volumes].problems if volume_id in each), None)


@app.command()
@logs_in
@locks
def remove(
    name: UserArgument,
    backup: Annotated[
        bool | None,
        typer.Option(
            "--backup/--no-backup",
            help="Make a backup first.",
            show_default="asks, where the deployment has backups and there is a terminal",
        ),
    ] = None,
    file: FileOption = DEFAULT_FILE,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
    yes: YesOption = False,
) -> None:
    """Delete a user's volumes, with all files on them; also kept ones. Lists them and asks first.

    Stops the user's servers. The user stays in the hub, and gets a new, empty volume with the next server. To remove both:
    `zerojhub hub users remove --with-data`. Where the deployment has backups, it offers to make one first.

    Examples:
        zerojhub data remove ada
    """
    from zerojhub import graph, running
    from zerojhub.cli.run import with_run
    from zerojhub.data import remove as removing
    from zerojhub.data.inventory import State

    async def work(run: Run) -> list[Item]:
        data = await running.data_of(run)
        data.require_answers()
        doomed = of_user(data.items, name)
        await removing.refuse_snapshots(run.cloud, doomed)
        show_doomed(doomed)
        gb = sum(each.size_gb or 0 for each in doomed)
        here = [each for each in doomed if each.claim and each.persistent_volume and each.state is not State.no_volume]
        possible = bool(run.deployment.backup and here)
        if backup or (backup is None and possible and offer(f"Back up the files of {doomed[0].user} first?", yes=yes)):
            with graph.step(run, "backup") as step:
                await _back_up(data, str(doomed[0].user))
                step.outcome, step.detail = "done", str(doomed[0].user)
        confirm(f"Delete {plural(len(doomed), 'volume')} of {doomed[0].user} ({gb} GB)?", yes=yes)
        with graph.step(run, "data") as step:
            await stop(data, doomed)
            await removing.delete(data.kube, run.cloud, run.deployment.namespace, doomed, run.say)
            step.outcome, step.detail = "done", plural(len(doomed), "volume")
        return doomed

    doomed = with_run(work, file, cloud, quiet=quiet, locked=True)
    show_removed(str(doomed[0].user), doomed, output)


async def _back_up(data: Data, user: str) -> None:
    """Back up the user's volumes. ZeroJHubError if that fails, or there are no backups."""
    from zerojhub.backup.installed import find
    from zerojhub.kube.crons import Crons

    run = data.running.run
    installed = await find(Crons.of(data.running.reach, run.deployment.namespace))
    await installed.run(installed.all_of(user), run.say)


@app.command()
@logs_in
@locks
def grow(
    name: UserArgument,
    size: Annotated[str, typer.Argument(metavar="SIZE", help="New size, such as 20Gi.")],
    server: ServerOption = "",
    file: FileOption = DEFAULT_FILE,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
) -> None:
    """Make a user's volume larger, also while their server runs. Volumes cannot shrink.

    Users without a volume get one of the size that the values say (singleuser.storage.capacity).

    Examples:
        zerojhub data grow ada 20Gi
    """
    from zerojhub import graph, running
    from zerojhub.cli.run import with_run
    from zerojhub.data import grow as growing

    size_gb = growing.gigabytes(size)

    async def work(run: Run) -> Grown:
        data = await running.data_of(run)
        kube = data.require_kube()
        _, claim = home_of(data.items, name, server)
        with graph.step(run, "data") as step:
            grown = await growing.grow(kube, run.deployment.namespace, claim, size_gb, run.say)
            step.outcome, step.detail = "done", grown.outcome
        return grown

    show_grown(with_run(work, file, cloud, quiet=quiet, locked=True), output)


@app.command("copy")
@logs_in
@locks
def copy_files(
    source: Annotated[str, typer.Argument(metavar="FROM", help="User whose files are copied.")],
    target: Annotated[str, typer.Argument(metavar="TO", help="User who gets them.")],
    file: FileOption = DEFAULT_FILE,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
) -> None:
    """Copy a user's files to the folder from-FROM in another user's home. Neither server may run.

    Keeps modes, times, and hard and symbolic links. The folder appears when it is complete.

    Examples:
        zerojhub data copy ben cleo
    """
    from zerojhub import graph, running
    from zerojhub.cli.run import with_run
    from zerojhub.data import copy as copying

    if source == target:
        raise UserError("the two users are the same")

    async def work(run: Run) -> Copied:
        data = await running.data_of(run)
        kube, namespace = data.require_kube(), run.deployment.namespace
        volumes = home_of(data.items, source), home_of(data.items, target)
        image = await hub_image(data)
        with graph.step(run, "data") as step:
            copied = await copying.copy(kube, namespace, image, *volumes, run.say)
            step.outcome = "done"
        return copied

    show_copied(with_run(work, file, cloud, quiet=quiet, locked=True), output)


@app.command("open")
@logs_in
def open_home(
    name: UserArgument,
    command: Annotated[
        list[str] | None,
        typer.Argument(metavar="COMMAND", help="Command to run there, after `--`.", show_default="a shell"),
    ] = None,
    writable: Annotated[bool, typer.Option("--rw", help="Allow changes. The user's server must not run.")] = False,
    server: ServerOption = "",
    file: FileOption = DEFAULT_FILE,
    cloud: CloudOption = None,
    quiet: QuietOption = False,
) -> None:
    """Open a shell in a pod that has a user's home, read-only, at /home/jovyan. The pod is deleted when the shell ends.

    The pod has the hub's image. The user's server may run, unless --rw is given.

    Examples:
        zerojhub data open ada
        zerojhub data open ada -- du -sh /home/jovyan
    """
    from zerojhub import graph, running
    from zerojhub.cli.run import with_run
    from zerojhub.data import pods
    from zerojhub.kube.exec import execute
    from zerojhub.report.terminal import Terminal

    terminal = Terminal()
    if not command and not terminal.interactive:
        raise UserError("no terminal for a shell", hint="give a command after --")

    async def work(run: Run) -> int:
        data = await running.data_of(run)
        kube, namespace = data.require_kube(), run.deployment.namespace
        (user, claim), image = home_of(data.items, name, server), await hub_image(data)
        if writable:
            await pods.refuse_if_used(kube, namespace, [claim])
        node = next((each.attached_to for each in data.items if each.claim == claim), None)
        here = data.here.nodes.values() if data.here else ()
        with graph.step(run, "data") as step:
            pod = pods.manifest(
                namespace,
                image,
                ["sleep", "infinity"],
                {HOME: claim},
                writable=[HOME] if writable else [],
                node=node if node in here else None,
                user_id=USER_ID if writable else 0,
            )
            async with pods.running(kube, pod, run.say) as started:
                step.outcome, step.detail = "done", f"home of {user}"
                with terminal.raw():
                    words = ["sh", "-c", f'cd {HOME} && exec "$@"', "sh", *(command or ["sh", "-i"])]
                    return await execute(kube, namespace, started, pods.CONTAINER, words, terminal)

    if code := with_run(work, file, cloud, quiet=quiet):
        raise typer.Exit(code)


def home_of(items: Sequence[Item], user: str, server: str = "") -> tuple[str, str]:
    """The user as the hub writes the name, and the claim of their server. UserError if there is none."""
    for each in of_user(items, user):
        if each.server == server and each.claim and each.persistent_volume:
            return str(each.user), each.claim
    raise UserError(
        f"{user} has no volume{f' for server {server}' if server else ' in the cluster'}", hint="zerojhub data list"
    )


async def hub_image(data: Data) -> str:
    """The hub's image, which a node has already. ZeroJHubError without a hub."""
    from zerojhub.hub import pods

    release = data.running.release
    found = await pods.deployment(data.require_kube(), release.namespace, release.name)
    return found["spec"]["template"]["spec"]["containers"][0]["image"]


def of_user(items: Sequence[Item], user: str) -> list[Item]:
    """What the user has. UserError if that is nothing. JupyterHub writes names in lower case by default."""
    from zerojhub.data.inventory import State

    certain = [each for each in items if each.user is not None and each.state is not State.doubtful]
    for name in (user, user.lower()):
        if found := [each for each in certain if each.user == name]:
            return found
    close = nearest(user, {str(each.user) for each in certain})
    raise UserError(f"{user} has no volume", hint=f"did you mean {close}?" if close else "zerojhub data list")


async def stop(data: Data, items: Sequence[Item]) -> None:
    """Stop the servers of a user, through the hub if it responds, and whatever else of theirs uses the volumes."""
    from zerojhub.data.remove import stop_pods
    from zerojhub.hub.client import HubClient

    name = str(items[0].user)
    if data.running.url:
        async with HubClient(data.running.url, data.running.release.secrets.api_token) as client:
            user = await client.user(name)
            for server in user.servers if user else ():
                await client.stop_server(name, server)
    if data.kube:
        await stop_pods(data.kube, data.running.run.deployment.namespace, name, items)
