"""Magnum's quotas, statistics and services. All but one's own quota and statistics are for administrators."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NotRequired

from typing_extensions import TypedDict

from zerojhub.errors import CloudError, UserError
from zerojhub.openstack.magnum import ANY, Order
from zerojhub.openstack.session import Cloud

CLUSTER = "Cluster"
"""The only resource with a quota in Magnum 23."""


class Quota(TypedDict):
    """How many clusters a project may have. With an `id`: an administrator has set it."""

    project_id: str
    resource: str
    hard_limit: int
    id: NotRequired[int]


class Stats(TypedDict):
    """How many clusters a project has, and how many nodes they are to have."""

    clusters: int
    nodes: int


class MagnumService(TypedDict):
    """A process of Magnum; `state` is up or down."""

    id: int
    host: str | None
    binary: str
    state: str
    disabled: bool
    disabled_reason: str | None
    created_at: NotRequired[str | None]
    updated_at: NotRequired[str | None]


async def quotas(cloud: Cloud, *, everyone: bool = False, order: Order = ANY) -> list[Quota]:
    """The quotas that administrators have set for the project, or for every project."""
    query = order.query() | ({"all_tenants": "true"} if everyone else {})
    with _for_administrators("list quotas; your project's: zerojhub quota show"):
        return await cloud.container_infra.first("/quotas", "quotas", Quota, order.limit, query)


async def quota(cloud: Cloud, project: str, resource: str) -> Quota:
    """The project's quota: one that was set, or else Magnum's default."""
    with _for_administrators("ask for other projects"):
        return await cloud.container_infra.get(f"/quotas/{project}/{resource}", Quota)


async def set_quota(cloud: Cloud, project: str, resource: str, limit: int) -> Quota:
    """Set the project's quota, whether there is one or not."""
    body = {"project_id": project, "resource": resource, "hard_limit": limit}
    with _for_administrators("set quotas"):
        if not await _is_set(cloud, project, resource):
            try:
                return await cloud.container_infra.post("/quotas", body, Quota, repeatable=True)
            except CloudError as error:
                if error.status != 409:  # somebody else's, or an earlier attempt's whose answer was lost
                    raise
        await cloud.container_infra.patch(f"/quotas/{project}/{resource}", body, repeatable=True)
    return await quota(cloud, project, resource)


async def delete_quota(cloud: Cloud, project: str, resource: str) -> Quota:
    """Give the project Magnum's default again, and return that. UserError when no quota was set."""
    with _for_administrators("delete quotas"):
        is_set = await _is_set(cloud, project, resource)
    if not is_set:
        raise UserError(
            f"no quota was set for project {project}: Magnum's default applies",
            hint="zerojhub quota list --all-projects",
        )
    with _for_administrators("delete quotas"):
        await cloud.container_infra.delete(f"/quotas/{project}/{resource}")
    return await quota(cloud, project, resource)


async def _is_set(cloud: Cloud, project: str, resource: str) -> bool:
    listed = await quotas(cloud, everyone=True)
    return (project, resource) in [(each["project_id"], each["resource"]) for each in listed]


async def stats(cloud: Cloud, project: str) -> Stats:
    with _for_administrators("ask for other projects"):
        return await cloud.container_infra.get("/stats", Stats, project_id=project)


async def services(cloud: Cloud) -> list[MagnumService]:
    with _for_administrators("list services"):
        return await cloud.container_infra.all("/mservices", "mservices", MagnumService)


async def own_project(cloud: Cloud) -> str:
    """The ID of the project that the credentials are for. UserError when they are for none."""
    await cloud.authenticate()
    if project := cloud.project_id:
        return project
    raise UserError(f"the credentials of cloud {cloud.name} are for no project", hint="--project ID")


@contextmanager
def _for_administrators(what: str) -> Iterator[None]:
    """Within: a refusal says who may do it."""
    try:
        yield
    except CloudError as error:
        if error.status == 403:
            error.hint = f"only administrators may {what}"
        raise
