"""The cluster template: an existing one, by name or UUID, or one made from the options in the deployment file."""

from __future__ import annotations

from zerojhub.deployment import TemplateSpec
from zerojhub.errors import UserError, ZeroJHubError
from zerojhub.openstack import magnum, templates
from zerojhub.openstack.magnum import ClusterTemplate, TemplateRequest
from zerojhub.run import Run
from zerojhub.stage import Found, Missing, Stage, Teardown, Wrong
from zerojhub.stages.preflight import Preflight

OWNER_LABEL = "zerojhub_template"
"""The label that marks a template as made for a deployment; drivers ignore labels that they do not know."""


class Template(Stage[ClusterTemplate]):
    """A cluster template: the one named, or one made as the deployment file describes it.

    Looks it up by name or UUID. When the file has it as a mapping, it creates one, which `down` deletes.
    """

    name = "template"
    needs = (Preflight,)

    async def check(self, run: Run) -> list[ZeroJHubError]:
        wanted = run.deployment.cluster.template
        if isinstance(wanted, TemplateSpec):
            return [not_kubernetes(own_name(run), wanted.coe)] if wanted.coe != "kubernetes" else []
        template = await find(run)
        if template is None:
            return [await magnum.unknown_template(run.cloud, wanted)]
        return [not_kubernetes(wanted, template["coe"])] if template["coe"] != "kubernetes" else []

    async def look(self, run: Run) -> Found[ClusterTemplate] | Missing[ClusterTemplate] | Wrong[ClusterTemplate]:
        template = await find(run)
        if template is None:
            return Missing(f"there is no template {own_name(run)}")
        spec = run.deployment.cluster.template
        if isinstance(spec, TemplateSpec) and template["labels"].get(OWNER_LABEL) == run.deployment.name:
            differing = [key for key, value in request(run, spec).items() if template.get(key) != value]
            if differing:
                return Wrong(f"template {template['name']} was made with a different {', '.join(differing)}", template)
        version = template["labels"].get("kube_tag")
        return Found(f"{template['name']}{f', Kubernetes {version}' if version else ''} ({template['uuid']})", template)

    async def do(self, run: Run, state: Missing[ClusterTemplate] | Wrong[ClusterTemplate]) -> None:
        spec = run.deployment.cluster.template
        if isinstance(state, Wrong) or not isinstance(spec, TemplateSpec):
            hint = "a template in use cannot change: give it another name in the deployment file, or delete it first"
            raise ZeroJHubError(state.detail, hint=hint)
        await magnum.create_template(run.cloud, request(run, spec))

    async def undo(self, run: Run, teardown: Teardown) -> None:
        template = await find(run)
        if template and template["labels"].get(OWNER_LABEL) == run.deployment.name:
            await magnum.delete_template(run.cloud, template["uuid"])


def not_kubernetes(name: str, engine: str) -> UserError:
    return UserError(
        f"template {name!r} makes {engine} clusters; a hub needs Kubernetes", hint="choose one with coe kubernetes"
    )


async def find(run: Run) -> ClusterTemplate | None:
    """The template, if it exists. UserError when several have the name."""
    return await run.once(magnum.find_template, run.cloud, own_name(run))


def own_name(run: Run) -> str:
    """The name or UUID to find the template by."""
    wanted = run.deployment.cluster.template
    return (wanted.name or f"zerojhub-{run.deployment.name}") if isinstance(wanted, TemplateSpec) else wanted


def request(run: Run, spec: TemplateSpec) -> TemplateRequest:
    """The request that creates the template, labelled as this deployment's."""
    return templates.request(spec, own_name(run), {OWNER_LABEL: run.deployment.name})


async def expected(run: Run) -> ClusterTemplate | TemplateRequest | None:
    """The template as it is, or as it would be created; None for a named one that does not exist."""
    spec = run.deployment.cluster.template
    return await find(run) or (request(run, spec) if isinstance(spec, TemplateSpec) else None)
