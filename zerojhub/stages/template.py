"""The cluster template: an existing one, by name or UUID, or one made from the options in the deployment file."""

from __future__ import annotations

from zerojhub.deployment import TemplateSpec
from zerojhub.errors import UserError, ZeroJHubError
from zerojhub.openstack import magnum, templates
from zerojhub.stages.base import Found, Missing, Stage, Wrong
from zerojhub.stages.preflight import Preflight

OWNER_LABEL = "zerojhub_template"
"""The label that marks a template as made for a deployment; drivers ignore labels that they do not know."""


class Template(Stage):
    """A cluster template: the one named, or one made as the deployment file has it.

    Looks by name or UUID. When the file has it as a mapping, it makes one, which `down` takes away.
    """

    name = "template"
    needs = (Preflight,)

    async def check(self, hub) -> list[ZeroJHubError]:
        wanted = hub.deployment.cluster.template
        if isinstance(wanted, TemplateSpec):
            return [not_kubernetes(own_name(hub), wanted.coe)] if wanted.coe != "kubernetes" else []
        template = await magnum.find_one(hub.cloud, "clustertemplates", wanted)
        if template is None:
            return [await magnum.unknown(hub.cloud, "clustertemplates", wanted)]
        return [not_kubernetes(wanted, template["coe"])] if template["coe"] != "kubernetes" else []

    async def look(self, hub) -> Found | Missing | Wrong:
        template = await find(hub)
        if template is None:
            return Missing(f"there is no template {own_name(hub)}")
        if isinstance(hub.deployment.cluster.template, TemplateSpec):
            body = body_of(hub)
            other = [key for key, value in body.items() if template.get(key) != value]
            if other and template["labels"].get(OWNER_LABEL) == hub.deployment.name:
                return Wrong(f"template {template['name']} was made with another {', '.join(other)}")
        version = template["labels"].get("kube_tag")
        return Found(f"{template['name']}{f', Kubernetes {version}' if version else ''} ({template['uuid']})", template)

    async def do(self, hub, state: Missing | Wrong) -> None:
        if isinstance(state, Wrong):
            hint = "a template in use cannot change: give it another name in the deployment file, or delete it first"
            raise ZeroJHubError(state.how, hint=hint)
        await hub.cloud.container_infra.post("/clustertemplates", body_of(hub))

    async def undo(self, hub) -> None:
        template = await find(hub)
        if template and template["labels"].get(OWNER_LABEL) == hub.deployment.name:
            await hub.cloud.container_infra.delete(f"/clustertemplates/{template['uuid']}")


def not_kubernetes(name: str, engine: str) -> UserError:
    return UserError(
        f"template {name!r} makes {engine} clusters; a hub needs Kubernetes", hint="choose one with coe kubernetes"
    )


async def find(hub) -> dict | None:
    return await magnum.find_one(hub.cloud, "clustertemplates", own_name(hub))


def own_name(hub) -> str:
    """The name or UUID to find the template by."""
    wanted = hub.deployment.cluster.template
    return (wanted.name or f"zerojhub-{hub.deployment.name}") if isinstance(wanted, TemplateSpec) else wanted


def body_of(hub) -> dict:
    """The request that makes the template, marked as this deployment's."""
    spec = hub.deployment.cluster.template
    return templates.request(spec, own_name(hub), {OWNER_LABEL: hub.deployment.name})


async def expected(hub) -> dict | None:
    """The template as it is, or as it would be made; None for a named one that does not exist."""
    there = await find(hub)
    return body_of(hub) if there is None and isinstance(hub.deployment.cluster.template, TemplateSpec) else there
