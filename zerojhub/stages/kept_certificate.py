"""What the hub's certificate needs before the hub is installed: the one from before, the user's own, or what a new one takes."""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import TYPE_CHECKING

from zerojhub import files
from zerojhub.errors import Problems, UserError, ZeroJHubError
from zerojhub.hub.acme import DNS_RESOLVER, HTTP_RESOLVER, Store
from zerojhub.hub.https import AUTHORITY, CREDENTIAL, OWN, Https
from zerojhub.hub.traefik import authority as name_of_authority
from zerojhub.kube import namespaces
from zerojhub.kube.client import OURS
from zerojhub.kube.kinds import CONFIG_MAP, SECRET
from zerojhub.stage import Found, Missing, Stage, Teardown, Wrong
from zerojhub.stages import dns_credential
from zerojhub.stages.access import Access
from zerojhub.stages.host_name import host_of
from zerojhub.stages.https_files import STORE_KEY, https_of, saved_store, store_name, without_public_name

if TYPE_CHECKING:
    from zerojhub.deployment import Deployment
    from zerojhub.hub.acme import Issued
    from zerojhub.kube.types import Manifest
    from zerojhub.run import Run


class KeptCertificate(Stage[None]):
    """The hub's certificate from before, or what it takes to get one.

    Only with `hub.https.contact` or a certificate of your own. Puts the certificate that `down` has saved back into the
    cluster before anything asks for a new one, if it is for the same name and from the same authority; it is kept in the
    deployment's folder (mode 0600). Your own certificate becomes a Secret, a private authority a ConfigMap. For
    `challenge: dns` creates an application credential, which `down` deletes.
    """

    name = "kept-certificate"
    needs = (Access,)
    undo_needs = ()

    @classmethod
    def applies(cls, deployment: Deployment) -> bool:
        https = deployment.hub.https
        return https is not None and bool(https.contact or https.certificate)

    async def check(self, run: Run) -> list[ZeroJHubError]:
        problems: list[ZeroJHubError] = []
        try:
            https = await run.once(https_of, run)
            if https and https.designate:
                problems += await dns_credential.problems(run)
        except Problems as several:
            problems += several.problems
        except UserError as error:
            problems.append(error)
        if nameless := await without_public_name(run):
            problems.append(nameless)
        return problems

    async def look(self, run: Run) -> Found[None] | Missing[None] | Wrong[None]:
        kube, namespace = run[Access].kube, run.deployment.namespace
        try:
            https = await _https(run)
        except UserError as error:
            return Missing(str(error))  # `check` and `do` fail for it, and `down` does not
        for manifest in manifests(namespace, https):
            meta = manifest["metadata"]
            there = await kube.get(SECRET if manifest["kind"] == "Secret" else CONFIG_MAP, meta["name"], namespace)
            if there is None or there.get("data") != manifest["data"]:
                return Missing(f"{manifest['kind']} {meta['name']} is not as it should be")
        if https.designate and not await dns_credential.works(run):
            return Missing(f"Secret {CREDENTIAL} has no application credential that works")
        if https.spec.contact and saved_store(run).exists():
            if usable := await _usable(run, https):
                if await kube.get(SECRET, store_name(run), namespace) is None:
                    return Missing(f"the certificate from before, valid for {usable.days} days, is not in the cluster")
            else:
                return Missing("the certificate from before is of no use any more")
        return Found(_detail(https), None)

    async def do(self, run: Run, state: Missing[None] | Wrong[None]) -> None:
        kube, namespace = run[Access].kube, run.deployment.namespace
        https = await _https(run)
        await namespaces.ensure(kube, namespace)
        for manifest in manifests(namespace, https):
            await kube.apply(manifest)
        if https.designate and not await dns_credential.works(run):
            await kube.apply(await dns_credential.create(run, namespace))
        if not https.spec.contact or not saved_store(run).exists():
            return
        if await _usable(run, https) is None:
            saved_store(run).unlink()
        elif await kube.get(SECRET, store_name(run), namespace) is None:
            store = Store.of(files.read(saved_store(run)))
            await kube.apply(stored(run, store.under(resolver(https))))

    async def undo(self, run: Run, teardown: Teardown) -> None:
        if not self.applies(run.deployment):
            return
        await dns_credential.delete(run)
        if Access in run:
            kube, namespace = run[Access].kube, run.deployment.namespace
            for kind, name in ((SECRET, OWN), (SECRET, CREDENTIAL), (CONFIG_MAP, AUTHORITY)):
                await kube.delete(kind, name, namespace)


def resolver(https: Https) -> str:
    """The name of the resolver with which Traefik gets this certificate."""
    return DNS_RESOLVER if https.spec.challenge == "dns" else HTTP_RESOLVER


def stored(run: Run, store: Store) -> Manifest:
    """The Secret that Traefik begins with. It contains private keys."""
    return _object("Secret", store_name(run), run.deployment.namespace, {STORE_KEY: encoded(bytes(store))})


def manifests(namespace: str, https: Https) -> list[Manifest]:
    """The objects with the user's files, as they should be in the namespace."""
    found: list[Manifest] = []
    if https.authority and https.spec.contact:
        found.append(_object("ConfigMap", AUTHORITY, namespace, {https.authority_file: https.authority}))
    if own := https.own:
        data = {"tls.crt": encoded(own.certificate.encode()), "tls.key": encoded(own.key.encode())}
        found.append(_object("Secret", OWN, namespace, data) | {"type": "kubernetes.io/tls"})
    return found


def encoded(content: bytes) -> str:
    return b64encode(content).decode()


async def store_in_cluster(run: Run) -> Store:
    """What Traefik has in the cluster; an empty store if it has nothing."""
    secret = await run[Access].kube.get(SECRET, store_name(run), run.deployment.namespace)
    return Store.of(b64decode(secret.get("data", {}).get(STORE_KEY, "") if secret else ""))


def _object(kind: str, name: str, namespace: str, data: dict[str, str]) -> Manifest:
    meta = {"name": name, "namespace": namespace, "labels": OURS}
    return {"apiVersion": "v1", "kind": kind, "metadata": meta, "data": data}


async def _https(run: Run) -> Https:
    https = await run.once(https_of, run)
    assert https  # or else the stage does not apply
    return https


async def _usable(run: Run, https: Https) -> Issued | None:
    """The certificate that was saved, if the hub can use it: for its name, valid, and from the authority that is wanted."""
    issued = Store.of(files.read(saved_store(run))).issued(await host_of(run) or "")
    if issued and issued.is_valid and issued.is_from(https.spec.server) and https.trusts(issued.chain):
        return issued
    return None


def _detail(https: Https) -> str:
    if https.own:
        return "your own certificate"
    return f"to be requested from {name_of_authority(https.spec.server)}"
