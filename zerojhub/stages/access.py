"""The connection to the cluster: SSH to the first master through its floating IP, or the cluster's API."""

from __future__ import annotations

import contextlib
from dataclasses import replace

from zerojhub.cluster import credentials, reach
from zerojhub.errors import UserError, ZeroJHubError
from zerojhub.kube.reach import Reach
from zerojhub.openstack import masters, neutron
from zerojhub.openstack.clusters import OWNER_LABEL
from zerojhub.openstack.roads import road_of
from zerojhub.run import Run
from zerojhub.stage import Found, Missing, Stage, Teardown, Wrong
from zerojhub.stages.cluster import Cluster
from zerojhub.stages.floating_ip import FloatingIP, floating_ips
from zerojhub.stages.keypair import Keypair
from zerojhub.stages.template import Template


class Access(Stage[Reach]):
    """A connection to the cluster: SSH to the master with a pinned host key, or its API.

    Attaches the floating IP to the first master and takes the host key from its console log; or has Magnum sign a
    kubeconfig. `down` deletes the pins and the kubeconfig.
    """

    name = "access"
    needs = (Cluster, FloatingIP, Keypair)

    async def look(self, run: Run) -> Found[Reach] | Missing[Reach] | Wrong[Reach]:
        cluster = run[Cluster]
        if road_of(run.deployment, run[Template]) == "api":
            found = await reach.by_api(run, cluster)
            return Found(f"{cluster.get('api_address')}, Kubernetes {found.version}", found)
        server = await masters.first_master(run.cloud, cluster)
        floating_ip = await current(run)
        if floating_ip is None:
            address = (cluster.get("master_addresses") or masters.addresses(server))[0]
        elif floating_ip["port_id"] is None:
            return Missing(f"floating IP {floating_ip['floating_ip_address']} is not attached to the master yet")
        elif floating_ip["fixed_ip_address"] not in masters.addresses(server):
            return Wrong(
                f"floating IP {floating_ip['floating_ip_address']} is attached to a port other than the master's"
            )
        else:
            address = floating_ip["floating_ip_address"]
        key = run[Keypair]
        assert key and key.private_key  # the stage finds none on the API road only
        user = run.deployment.access.user or masters.login(run[Template])
        found = await reach.by_ssh(run, server, address, user, key.private_key)
        return Found(f"{user}@{address}, Kubernetes {found.version}", found)

    async def do(self, run: Run, state: Missing[Reach] | Wrong[Reach]) -> None:
        floating_ip = await current(run)
        if floating_ip is None:
            raise ZeroJHubError(state.detail)
        if isinstance(state, Wrong) and run.deployment.access.floating_ip:
            hint = "detach it first, or leave out access.floating_ip to have one allocated"
            raise UserError(state.detail, hint=hint)
        server = await masters.first_master(run.cloud, run[Cluster])
        await neutron.attach_floating_ip(run.cloud, floating_ip["id"], await masters.port_of(run.cloud, server))

    async def undo(self, run: Run, teardown: Teardown) -> None:
        if run[Cluster]["labels"].get(OWNER_LABEL) == run.deployment.name and Access in run:
            await _note_credential(run, teardown)
        reach.pins(run).path.unlink(missing_ok=True)
        reach.own_kubeconfig(run, run[Cluster]).unlink(missing_ok=True)


async def _note_credential(run: Run, teardown: Teardown) -> None:
    """Which credential the cluster holds, which is to be revoked with it."""
    with contextlib.suppress(ZeroJHubError, LookupError):
        held = await credentials.held(run[Access])
        if held.kind == "trust":
            teardown.traces = replace(teardown.traces, trust=held.id)
        elif held.kind == "application credential":
            teardown.traces = replace(teardown.traces, application_credential=held.id)


async def current(run: Run) -> neutron.FloatingIP | None:
    """The floating IP that the hub attaches to the master, as it is now; None where Magnum assigned the master one."""
    allocated = run[FloatingIP]
    if allocated is None:
        return None
    listed = await floating_ips(run)
    return next((each for each in listed if each["id"] == allocated["id"]), None)
