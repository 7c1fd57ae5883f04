"""The cluster template: an existing one, by name or UUID, or one made from the options in the deployment file."""

from __future__ import annotations

from functools import partial

import anyio

from zerojhub.deployment import TemplateSpec, nearest
from zerojhub.errors import UserError, ZeroJHubError
from zerojhub.openstack import magnum, names
from zerojhub.stages.base import Found, Missing, Stage, Wrong
from zerojhub.stages.preflight import Preflight

OWNER_LABEL = "zerojhub_template"
"""The label that marks a template as made for a deployment; drivers ignore labels that they do not know."""


class Template(Stage):
    """A cluster template: the one named, or one made as the deployment file has it."""

    name = "template"
    needs = (Preflight,)

    async def check(self, hub) -> list[ZeroJHubError]:
        wanted = hub.deployment.cluster.template
        if isinstance(wanted, TemplateSpec):
            body = body_of(hub, wanted)
            return await parts_missing(hub.cloud, body) if await find(hub) is None else []
        template = await magnum.find_one(hub.cloud, "clustertemplates", wanted)
        if template is None:
            listed = await hub.cloud.container_infra.all("/clustertemplates", "clustertemplates")
            known = [each["name"] for each in listed]
            meant = nearest(wanted, known)
            hint = f"did you mean {meant!r}?" if meant else f"there are: {', '.join(sorted(set(known))) or 'none'}"
            return [UserError(f"no cluster template named {wanted!r} in cloud {hub.cloud.name}", hint=hint)]
        if template["coe"] != "kubernetes":
            return [UserError(f"template {wanted!r} makes {template['coe']} clusters; a hub needs a kubernetes one")]
        return await parts_missing(hub.cloud, template)

    async def look(self, hub) -> Found | Missing | Wrong:
        template = await find(hub)
        if template is None:
            return Missing(f"there is no template {own_name(hub)}")
        if isinstance(hub.deployment.cluster.template, TemplateSpec):
            body = body_of(hub, hub.deployment.cluster.template)
            other = [key for key, value in body.items() if template.get(key) != value]
            if other and template["labels"].get(OWNER_LABEL) == hub.deployment.name:
                return Wrong(f"template {template['name']} was made with another {', '.join(other)}")
        version = template["labels"].get("kube_tag")
        return Found(f"{template['name']}{f', Kubernetes {version}' if version else ''} ({template['uuid']})", template)

    async def do(self, hub, state: Missing | Wrong) -> None:
        if isinstance(state, Wrong):
            hint = "a template in use cannot change: give it another name in the deployment file, or delete it first"
            raise ZeroJHubError(state.how, hint=hint)
        await hub.cloud.container_infra.post("/clustertemplates", body_of(hub, hub.deployment.cluster.template))

    async def undo(self, hub) -> None:
        template = await find(hub)
        if template and template["labels"].get(OWNER_LABEL) == hub.deployment.name:
            await hub.cloud.container_infra.delete(f"/clustertemplates/{template['uuid']}")


async def find(hub) -> dict | None:
    return await magnum.find_one(hub.cloud, "clustertemplates", own_name(hub))


def own_name(hub) -> str:
    """The name or UUID to find the template by."""
    wanted = hub.deployment.cluster.template
    return (wanted.name or f"zerojhub-{hub.deployment.name}") if isinstance(wanted, TemplateSpec) else wanted


def body_of(hub, spec: TemplateSpec) -> dict:
    """The request that makes the template (Magnum API reference, cluster templates)."""
    body = spec.model_dump(exclude_none=True)
    for short in ("image", "keypair", "external_network", "flavor", "master_flavor"):
        if short in body:
            body[f"{short}_id"] = body.pop(short)
    labels = {key: str(value) for key, value in spec.labels.items()}
    return body | {"name": own_name(hub), "labels": labels | {OWNER_LABEL: hub.deployment.name}}


async def parts_missing(cloud, template: dict) -> list[ZeroJHubError]:
    """What the template names and the cloud does not have: image, flavors, external network."""
    problems: list[ZeroJHubError] = []
    parts = {
        (names.image, template.get("image_id")),
        (names.flavor, template.get("flavor_id")),
        (names.flavor, template.get("master_flavor_id")),
        (partial(names.network, external=True), template.get("external_network_id")),
    }

    async def resolve(find, wanted: str) -> None:
        try:
            await find(cloud, wanted)
        except UserError as error:
            problems.append(error)

    async with anyio.create_task_group() as tasks:
        for find_part, wanted in parts:
            if wanted:
                tasks.start_soon(resolve, find_part, wanted)
    return problems
