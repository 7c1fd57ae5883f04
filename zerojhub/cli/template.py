"""zerojhub template: cluster templates, with every option of Magnum's API."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zerojhub.cli.help import App
from zerojhub.cli.options import (
    CloudOption,
    ColumnOption,
    DuplicateOption,
    FixedSubnetOption,
    FloatingIPOption,
    KeypairOption,
    LabelsOption,
    LimitOption,
    ListOutputOption,
    NameArgument,
    NamesArgument,
    OutputOption,
    SortDirOption,
    SortKeyOption,
    YesOption,
    confirm,
)
from zerojhub.cli.run import request
from zerojhub.report import templates as report
from zerojhub.report.results import Listing, ListOutput, Output, show_done, show_fields

if TYPE_CHECKING:
    from zerojhub.openstack.magnum import ClusterTemplate
    from zerojhub.openstack.session import Cloud

app = App("Manage cluster templates.")

ImageOption = Annotated[
    str | None, typer.Option(metavar="IMAGE", help="Image of the servers; its os_distro selects Magnum's driver.")
]
ExternalNetworkOption = Annotated[
    str | None, typer.Option(metavar="NETWORK", help="External network, for floating IPs.")
]
FixedNetworkOption = Annotated[
    str | None, typer.Option(metavar="NETWORK", help="Network of the servers.", show_default="a new one")
]
FlavorOption = Annotated[str | None, typer.Option(metavar="FLAVOR", help="Flavor of the workers.")]
MasterFlavorOption = Annotated[str | None, typer.Option(metavar="FLAVOR", help="Flavor of the masters.")]
NetworkDriverOption = Annotated[
    str | None, typer.Option(metavar="DRIVER", help="flannel, calico or cilium; docker for swarm and mesos.")
]
VolumeDriverOption = Annotated[str | None, typer.Option(metavar="DRIVER", help="cinder; rexray for swarm and mesos.")]
DriverOption = Annotated[
    str | None,
    typer.Option(metavar="DRIVER", help="Magnum driver that creates the clusters.", show_default="by the image"),
]
DNSOption = Annotated[str | None, typer.Option(metavar="ADDRESS", help="DNS server of the servers.")]
HTTPProxyOption = Annotated[str | None, typer.Option(metavar="URL", help="Proxy for HTTP.")]
HTTPSProxyOption = Annotated[str | None, typer.Option(metavar="URL", help="Proxy for HTTPS.")]
NoProxyOption = Annotated[
    str | None, typer.Option(metavar="LIST", help="Addresses reached without a proxy, separated by commas.")
]
VolumeSizeOption = Annotated[int | None, typer.Option(metavar="GB", help="Size of a volume for container images.")]
StorageDriverOption = Annotated[str | None, typer.Option(metavar="DRIVER", help="devicemapper, overlay or overlay2.")]
TLSDisabledOption = Annotated[bool | None, typer.Option("--tls-disabled/--tls-enabled", help="Disable TLS.")]
RegistryOption = Annotated[
    bool | None,
    typer.Option("--registry-enabled/--registry-disabled", help="Run a container registry in the cluster."),
]
MasterLBOption = Annotated[
    bool | None,
    typer.Option(
        "--master-lb-enabled/--master-lb-disabled", help="Put a load balancer in front of the Kubernetes API."
    ),
]
PublicOption = Annotated[
    bool | None, typer.Option("--public/--private", help="Share the template with every project (administrators only).")
]
HiddenOption = Annotated[
    bool | None, typer.Option("--hidden/--visible", help="Leave the template out of lists (administrators only).")
]
InsecureRegistryOption = Annotated[str | None, typer.Option(metavar="URL", help="Container registry that has no TLS.")]
TagsOption = Annotated[str | None, typer.Option(metavar="LIST", help="Tags, separated by commas.")]


def given_fields(context: typer.Context, *apart: str) -> dict[str, Any]:
    """The template's attributes among the given options; `apart` are options that are none."""
    return {key: value for key, value in context.params.items() if value is not None and key not in apart}


@app.command("create")
def create_template(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the new template.")],
    source: Annotated[
        Path | None, typer.Option("--from", metavar="FILE", help="YAML file with options, by the names below.")
    ] = None,
    coe: Annotated[
        str | None, typer.Option(metavar="ENGINE", help="Container engine: kubernetes, swarm, swarm-mode or mesos.")
    ] = None,
    image: ImageOption = None,
    keypair: KeypairOption = None,
    external_network: ExternalNetworkOption = None,
    fixed_network: FixedNetworkOption = None,
    fixed_subnet: FixedSubnetOption = None,
    flavor: FlavorOption = None,
    master_flavor: MasterFlavorOption = None,
    network_driver: NetworkDriverOption = None,
    volume_driver: VolumeDriverOption = None,
    driver: DriverOption = None,
    dns_nameserver: DNSOption = None,
    http_proxy: HTTPProxyOption = None,
    https_proxy: HTTPSProxyOption = None,
    no_proxy: NoProxyOption = None,
    docker_volume_size: VolumeSizeOption = None,
    docker_storage_driver: StorageDriverOption = None,
    server_type: Annotated[str | None, typer.Option(metavar="vm|bm", help="Virtual machines or bare metal.")] = None,
    labels: LabelsOption = None,
    tls_disabled: TLSDisabledOption = None,
    registry_enabled: RegistryOption = None,
    master_lb_enabled: MasterLBOption = None,
    floating_ip_enabled: FloatingIPOption = None,
    public: PublicOption = None,
    hidden: HiddenOption = None,
    insecure_registry: InsecureRegistryOption = None,
    tags: TagsOption = None,
    duplicate: DuplicateOption = False,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Create a cluster template. Options that would make its clusters fail are reported first.

    Examples:
        zerojhub template create k8s --image fedora-coreos-38 --external-network public --labels kube_tag=v1.34.4
        zerojhub template create k8s --from template.yaml
    """
    from zerojhub.cli.arguments import parse_labels
    from zerojhub.deployment import template_spec
    from zerojhub.openstack import templates

    given = given_fields(context, "name", "source", "duplicate", "cloud", "output", "labels")
    if labels:
        given["labels"] = parse_labels(labels)
    spec = template_spec(source, given)
    created = request(cloud, lambda here: templates.create(here, spec, name, duplicate=duplicate))
    show_done(created, output, "created template")


@app.command("update")
def update_template(
    context: typer.Context,
    template: Annotated[str, typer.Argument(metavar="TEMPLATE", help="Name or UUID.")],
    name: Annotated[str | None, typer.Option(metavar="NAME", help="New name.")] = None,
    image: ImageOption = None,
    keypair: KeypairOption = None,
    external_network: ExternalNetworkOption = None,
    fixed_network: Annotated[str | None, typer.Option(metavar="NETWORK", help="Network of the servers.")] = None,
    fixed_subnet: FixedSubnetOption = None,
    flavor: FlavorOption = None,
    master_flavor: MasterFlavorOption = None,
    network_driver: NetworkDriverOption = None,
    volume_driver: VolumeDriverOption = None,
    driver: Annotated[
        str | None,
        typer.Option(metavar="DRIVER", help="Magnum driver; whether there is one of the name shows in new clusters."),
    ] = None,
    dns_nameserver: DNSOption = None,
    http_proxy: HTTPProxyOption = None,
    https_proxy: HTTPSProxyOption = None,
    no_proxy: NoProxyOption = None,
    docker_volume_size: VolumeSizeOption = None,
    docker_storage_driver: StorageDriverOption = None,
    labels: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="Labels to add or change, separated by commas (repeatable)."),
    ] = None,
    remove_label: Annotated[list[str] | None, typer.Option(metavar="KEY", help="Label to remove (repeatable).")] = None,
    tls_disabled: TLSDisabledOption = None,
    registry_enabled: RegistryOption = None,
    master_lb_enabled: MasterLBOption = None,
    floating_ip_enabled: FloatingIPOption = None,
    public: PublicOption = None,
    hidden: HiddenOption = None,
    insecure_registry: InsecureRegistryOption = None,
    tags: Annotated[
        str | None, typer.Option(metavar="LIST", help="Tags in place of the present ones, separated by commas.")
    ] = None,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Change a cluster template. Options that would make its clusters fail are reported first.

    Of a template that clusters use, Magnum changes only the name, the tags or the visibility.

    Examples:
        zerojhub template update k8s --flavor m1.large --labels kube_tag=v1.34.5 --remove-label boot_volume_size
        zerojhub template update k8s --tags stable,gpu
    """
    from zerojhub.cli.arguments import parse_labels
    from zerojhub.openstack import templates

    fields = given_fields(context, "template", "labels", "remove_label", "cloud", "output")
    change = templates.Change(fields, parse_labels(labels or []), remove_label or [])
    changed = request(cloud, lambda here: templates.update(here, template, change))
    show_done(changed, output, "changed template")


@app.command("list")
def list_templates(
    limit: LimitOption = None,
    sort_key: SortKeyOption = None,
    sort_dir: SortDirOption = None,
    column: ColumnOption = None,
    cloud: CloudOption = None,
    output: ListOutputOption = ListOutput.table,
) -> None:
    """List the project's cluster templates and public ones.

    Examples:
        zerojhub template list
        zerojhub template list --sort-key name -c name -c tags
    """
    from zerojhub.openstack import magnum

    order = magnum.Order(sort_key, sort_dir, limit)
    found = request(cloud, lambda here: magnum.templates(here, order))
    report.show_templates(found, Listing(output, column or ()))


@app.command("show")
def show_template(name: NameArgument, cloud: CloudOption = None, output: OutputOption = Output.table) -> None:
    """Show all fields of a cluster template.

    Examples:
        zerojhub template show kubernetes-v1.34.4
    """
    from zerojhub.openstack import magnum

    show_fields(request(cloud, lambda here: magnum.get_template(here, name)), output)


@app.command("delete")
def delete_template(
    names: NamesArgument, cloud: CloudOption = None, output: OutputOption = Output.table, yes: YesOption = False
) -> None:
    """Delete cluster templates that no cluster uses.

    Examples:
        zerojhub template delete k8s
        zerojhub template delete k8s-v1.33 k8s-v1.34
    """
    from zerojhub.openstack import magnum, templates
    from zerojhub.openstack.names import find_each
    from zerojhub.text import named

    found = request(cloud, lambda here: find_each(names, lambda name: templates.get_unused(here, name)))
    doomed = named("cluster template", [f"{template['name']} ({template['uuid']})" for template in found])
    confirm(f"Delete {doomed}?", yes=yes)

    deleted: list[ClusterTemplate] = []

    async def work(here: Cloud) -> None:
        for template in found:
            await magnum.delete_template(here, template["uuid"])
            deleted.append(template)

    try:
        request(cloud, work)
    finally:  # also what was done before one could not be deleted
        if deleted:
            report.show_deleted(deleted, output)
