"""Creating the objects in a manifest's file: all of them or none."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import anyio

from zerojhub.errors import Problems, UserError, ZeroJHubError
from zerojhub.kube.client import KubeError
from zerojhub.kube.kinds import Kind
from zerojhub.kube.rejections import explained

if TYPE_CHECKING:
    from zerojhub.kube.client import Kube
    from zerojhub.kube.manifests import Source
    from zerojhub.kube.types import Manifest, Object

T = TypeVar("T", bound="Object")

FIRST = ("ServiceAccount", "Secret", "ConfigMap", "PersistentVolumeClaim", "Role", "RoleBinding")
"""What other objects need. The rest is created in the order of the file."""


@dataclass(frozen=True)
class _Planned(Generic[T]):
    """An object to create."""

    source: Source
    kind: Kind[T]
    manifest: Manifest


async def create(kube: Kube, kind: Kind[T], source: Source, namespace: str) -> T:
    """Create the object and what is in its file in the namespace, and return it.

    The rest belongs to the object: it goes when the object is deleted, however that happens. If one of them is refused, none
    is left. Raises Problems for everything that the API server rejects, each with its line in the file; UserError if a
    manifest is for another namespace, if that does not exist, or if a name is taken.
    """
    own = _Planned(source, kind, _placed(source, namespace))
    needs = [_Planned(each, await _served(kube, each), _placed(each, namespace)) for each in source.needs]
    if needs:
        await _check(kube, [own, *needs])
    made: list[tuple[Kind[Object], str]] = []
    try:
        for each in sorted(needs, key=_rank):
            made.append((each.kind, (await _create(kube, each))["metadata"]["name"]))
        created = await _create(kube, own)
        made.append((kind, created["metadata"]["name"]))
        for its_kind, name in made[:-1]:
            await _give(kube, its_kind, name, namespace, source.manifest, created)
    except BaseException:
        with anyio.CancelScope(shield=True):
            await _undo(kube, made, namespace)
        raise
    return created


def _rank(planned: _Planned[Object]) -> int:
    kind = planned.source.manifest["kind"]
    return FIRST.index(kind) if kind in FIRST else len(FIRST)


async def _check(kube: Kube, planned: Sequence[_Planned[Any]]) -> None:
    """Raises what the API server would reject in any of them, in the order of the file."""
    problems: list[ZeroJHubError] = []
    for each in sorted(planned, key=lambda each: (each.source.line, each.source.place)):
        try:
            await kube.create(each.kind, each.manifest, dry_run=True)
        except KubeError as error:
            said = explained(error, each.source)
            if error.status not in (400, 409, 422):
                raise said from None  # no object could be created
            problems += said.problems if isinstance(said, Problems) else [said]
    if problems:
        raise problems[0] if len(problems) == 1 else Problems(problems)


async def _create(kube: Kube, planned: _Planned[T]) -> T:
    try:
        return await kube.create(planned.kind, planned.manifest)
    except KubeError as error:
        raise explained(error, planned.source) from None


async def _give(kube: Kube, kind: Kind[Object], name: str, namespace: str, owner: Manifest, created: Object) -> None:
    """Make the object belong to the one that was created."""
    meta = created["metadata"]
    reference = {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": meta["name"], "uid": meta["uid"]}
    # Deleting the owner with all it owns waits for what blocks it.
    owners = [reference | {"blockOwnerDeletion": True}]
    await kube.merge(kind, name, namespace, {"metadata": {"ownerReferences": owners}})


async def _undo(kube: Kube, made: list[tuple[Kind[Object], str]], namespace: str) -> None:
    for kind, name in reversed(made):
        with contextlib.suppress(KubeError):  # the first error is the one to report
            await kube.delete(kind, name, namespace)


async def _served(kube: Kube, source: Source) -> Kind[Object]:
    """The kind as the API server has it. UserError if it has none, or one outside of namespaces."""
    version, word = source.manifest["apiVersion"], source.manifest["kind"]
    resource = await kube.resource(version, word)
    if resource is None:
        raise UserError(f"the cluster has no {word} in {version}", where=source.where("kind"))
    if not resource["namespaced"]:
        hint = "create it with kubectl apply, and leave it out here"
        raise UserError(
            f"a {word} is in no namespace, so it cannot belong to a job", where=source.where("kind"), hint=hint
        )
    return Kind(f"{version}/{resource['name']}")


def _placed(source: Source, namespace: str) -> Manifest:
    """The manifest with the namespace. UserError if it is for another one."""
    meta = source.manifest["metadata"]
    if (own := meta.get("namespace") or namespace) != namespace:
        where = source.where("metadata", "namespace")
        raise UserError(f"its namespace is {own}, not {namespace}", where=where, hint=f"use -n {own}")
    return source.manifest | {"metadata": meta | {"namespace": namespace}}
