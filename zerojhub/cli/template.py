"""zerojhub template: cluster templates, with every option of Magnum's API."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zerojhub.cli.help import App
from zerojhub.cli.options import (
    CloudOption,
    DuplicateOption,
    FixedSubnetOption,
    FloatingIPOption,
    KeypairOption,
    LabelsOption,
    NameArgument,
    OutputOption,
    YesOption,
    confirm,
)
from zerojhub.cli.run import request
from zerojhub.report import templates as report
from zerojhub.report.results import Output, show_done, show_fields

app = App("Manage cluster templates.")


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
    image: Annotated[
        str | None,
        typer.Option(metavar="IMAGE", help="Image of the servers; its os_distro selects Magnum's driver."),
    ] = None,
    keypair: KeypairOption = None,
    external_network: Annotated[
        str | None, typer.Option(metavar="NETWORK", help="External network, for floating IPs.")
    ] = None,
    fixed_network: Annotated[
        str | None, typer.Option(metavar="NETWORK", help="Network of the servers.", show_default="a new one")
    ] = None,
    fixed_subnet: FixedSubnetOption = None,
    flavor: Annotated[str | None, typer.Option(metavar="FLAVOR", help="Flavor of the workers.")] = None,
    master_flavor: Annotated[str | None, typer.Option(metavar="FLAVOR", help="Flavor of the masters.")] = None,
    network_driver: Annotated[
        str | None,
        typer.Option(metavar="DRIVER", help="flannel, calico or cilium; docker for swarm and mesos."),
    ] = None,
    volume_driver: Annotated[
        str | None, typer.Option(metavar="DRIVER", help="cinder; rexray for swarm and mesos.")
    ] = None,
    dns_nameserver: Annotated[str | None, typer.Option(metavar="ADDRESS", help="DNS server of the servers.")] = None,
    http_proxy: Annotated[str | None, typer.Option(metavar="URL", help="Proxy for HTTP.")] = None,
    https_proxy: Annotated[str | None, typer.Option(metavar="URL", help="Proxy for HTTPS.")] = None,
    no_proxy: Annotated[
        str | None, typer.Option(metavar="LIST", help="Addresses reached without a proxy, separated by commas.")
    ] = None,
    docker_volume_size: Annotated[
        int | None, typer.Option(metavar="GB", help="Size of a volume for container images.")
    ] = None,
    docker_storage_driver: Annotated[
        str | None, typer.Option(metavar="DRIVER", help="devicemapper, overlay or overlay2.")
    ] = None,
    server_type: Annotated[str | None, typer.Option(metavar="vm|bm", help="Virtual machines or bare metal.")] = None,
    labels: LabelsOption = None,
    tls_disabled: Annotated[bool | None, typer.Option("--tls-disabled", help="Disable TLS.")] = None,
    registry_enabled: Annotated[
        bool | None, typer.Option("--registry-enabled", help="Run a container registry in the cluster.")
    ] = None,
    master_lb_enabled: Annotated[
        bool | None, typer.Option("--master-lb-enabled", help="Put a load balancer in front of the Kubernetes API.")
    ] = None,
    floating_ip_enabled: FloatingIPOption = None,
    public: Annotated[bool | None, typer.Option("--public", help="Share the template with every project.")] = None,
    hidden: Annotated[bool | None, typer.Option("--hidden", help="Leave the template out of lists.")] = None,
    insecure_registry: Annotated[
        str | None, typer.Option(metavar="URL", help="Container registry that has no TLS.")
    ] = None,
    tags: Annotated[str | None, typer.Option(metavar="LIST", help="Tags, separated by commas.")] = None,
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

    apart = ("name", "source", "duplicate", "cloud", "output", "labels")
    given = {key: value for key, value in context.params.items() if value is not None and key not in apart}
    if labels:
        given["labels"] = parse_labels(labels)
    spec = template_spec(source, given)
    created = request(cloud, lambda here: templates.create(here, spec, name, duplicate=duplicate))
    show_done(created, output, "created template")


@app.command("list")
def list_templates(cloud: CloudOption = None, output: OutputOption = Output.table) -> None:
    """List the project's cluster templates and public ones.

    Examples:
        zerojhub template list
    """
    from zerojhub.openstack import magnum

    report.show_templates(request(cloud, magnum.templates), output)


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
    name: NameArgument, cloud: CloudOption = None, output: OutputOption = Output.table, yes: YesOption = False
) -> None:
    """Delete a cluster template that no cluster uses.

    Examples:
        zerojhub template delete k8s
    """
    from zerojhub.openstack import magnum, templates

    template = request(cloud, lambda here: templates.get_unused(here, name))
    confirm(f"Delete cluster template {template['name']} ({template['uuid']})?", yes=yes)
    request(cloud, lambda here: magnum.delete_template(here, template["uuid"]))
    report.show_deleted(template, output)
