"""The DNS record and the certificate of a hub that keeps its host name when it moves."""

from __future__ import annotations

from base64 import b64decode
from typing import TYPE_CHECKING

from zerojhub import files
from zerojhub.hub.acme import Store
from zerojhub.kube.kinds import SECRET
from zerojhub.openstack import designate
from zerojhub.stages import Dns, KeptCertificate
from zerojhub.stages.floating_ip import mark
from zerojhub.stages.host_name import host_of, zone_of
from zerojhub.stages.https_files import STORE_KEY, saved_store, store_name

if TYPE_CHECKING:
    from zerojhub.moving.sides import Side


async def hand_over(source: Side, target: Side) -> None:
    """Have the record of the name that both have be the target's to change, and no longer the source's to delete. Repeatable.

    A zone that the target's project does not have stays as it is.
    """
    if not Dns.applies(target.run.deployment) or await host_of(source.run) != await host_of(target.run):
        return
    if source.run.cloud.project_id != target.run.cloud.project_id:
        return
    if zone := await zone_of(target.run):
        for each in await designate.recordsets(source.run.cloud, zone["id"], description=mark(source.run)):
            await designate.describe_recordset(source.run.cloud, each, mark(target.run))


async def hand_over_certificate(source: Side, target: Side) -> None:
    """Save the certificate that the source's hub has requested where the target's will look for one. Repeatable.

    The target decides whether it can use it, and requests another one if not.
    """
    host = await host_of(target.run)
    if not KeptCertificate.applies(target.run.deployment) or not host or host != await host_of(source.run):
        return
    secret = await source.kube.get(SECRET, store_name(source.run), source.namespace)
    store = Store.of(b64decode(secret.get("data", {}).get(STORE_KEY, "") if secret else ""))
    if store.issued(host):
        files.write(saved_store(target.run), bytes(store))
