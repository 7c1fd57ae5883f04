"""The volumes of users and of the hub that outlived their cluster."""

from __future__ import annotations

from zerojhub.data import kept
from zerojhub.errors import ZeroJHubError
from zerojhub.openstack import cinder, leftovers, magnum, zones
from zerojhub.openstack.session import if_allowed
from zerojhub.run import Run
from zerojhub.stage import Found, Stage, Teardown
from zerojhub.stages.preflight import Preflight
from zerojhub.text import plural

MOST_NAMED = 20
"""Owners that are named in a line."""


class Kept(Stage[kept.Found]):
    """Find the volumes that `down` kept, and whose they are.

    Reads it from the volumes' metadata in Cinder. For volumes that an earlier version or another tool left, it goes by what
    the CSI driver has recorded: namespace, claim and cluster. `down` lists them; with `--delete-data` it deletes them.
    """

    name = "kept"
    needs = (Preflight,)

    async def check(self, run: Run) -> list[ZeroJHubError]:
        """Warns of volumes that no server of a new cluster could use; `up` leaves them alone."""
        found = await run.once(find, run)
        if found.volumes and await run.once(magnum.find_cluster, run.cloud, run.deployment.cluster_name) is None:
            there = await run.once(zones.zones, run.cloud)
            for each in found.volumes:
                if there.without_servers(each.zone):
                    whose = f"volume {each.id} of {each.owner.label}, {each.size_gb} GB"
                    run.note(f"warning: {whose}, is in zone {each.zone}, which has no servers")
        return []

    async def look(self, run: Run) -> Found[kept.Found]:
        found = await run.once(find, run)
        return Found(describe(found), found)

    async def undo(self, run: Run, teardown: Teardown) -> None:
        run.forget_answers()
        there = (await find(run)).volumes
        left: list[cinder.Volume] = []
        if teardown.doomed:
            run.say(f"deleting {plural(len(teardown.doomed), 'volume')}")
            listed: list[cinder.Volume] = []
            with if_allowed():
                listed = await cinder.volumes(run.cloud)
            doomed = [each for each in listed if each["id"] in teardown.doomed and each["status"] != "deleting"]
            left = [each for each in doomed if not await leftovers.delete_volume(run.cloud, each["id"])]
        teardown.kept = [each.brief for each in there if each.id not in teardown.doomed]
        if left:
            ids = ", ".join(each["id"] for each in left)
            raise ZeroJHubError(f"Cinder did not delete {ids}", hint="see: openstack volume show; then run it again")


async def find(run: Run) -> kept.Found:
    """The deployment's kept volumes. Use it with `run.once`."""
    cluster = await run.once(magnum.find_cluster, run.cloud, run.deployment.cluster_name)
    return await kept.find(run.cloud, run.deployment, cluster)


def describe(found: kept.Found) -> str:
    """What there is, in one line: whose and how large."""
    parts = []
    if found.volumes:
        total = sum(each.size_gb for each in found.volumes)
        named = ", ".join(f"{each.owner.label} {each.size_gb} GB" for each in found.volumes[:MOST_NAMED])
        more = f" and {len(found.volumes) - MOST_NAMED} more" if len(found.volumes) > MOST_NAMED else ""
        parts.append(f"{plural(len(found.volumes), 'volume')}, {total} GB, without a cluster: {named}{more}")
    if found.doubtful:
        whose = ", ".join(f"{each.id} ({each.owner.label})" for each in found.doubtful[:MOST_NAMED])
        parts.append(
            f"{plural(len(found.doubtful), 'volume')} of namespace {found.doubtful[0].owner.namespace} may belong to"
            f" another hub, and {'is' if len(found.doubtful) == 1 else 'are'} left alone: {whose}"
        )
    return "; ".join(parts) or "no volumes are without a cluster"
