"""zerojhub template: cluster templates, with every option of Magnum's API."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zerojhub.cli.options import CloudOption, NameArgument, OutputOption, YesOption, confirm
from zerojhub.report import templates as report
from zerojhub.report.results import Output, show_done, show_fields

app = typer.Typer(help="Cluster templates of the project, and public ones.", no_args_is_help=True)


@app.command("create")
def create_template(
    context: typer.Context,
    name: Annotated[
        str, typer.Argument(help="Names need not be unique; one that is taken is refused unless --duplicate.")
    ],
    source: Annotated[Path | None, typer.Option("--from", help="Options in a YAML file, by the names below.")] = None,
    coe: Annotated[str | None, typer.Option(help="kubernetes, swarm, swarm-mode or mesos.")] = None,
    image: Annotated[str | None, typer.Option(help="Image of the servers; its os_distro chooses the driver.")] = None,
    keypair: Annotated[str | None, typer.Option(help="Keypair of the servers.")] = None,
    external_network: Annotated[str | None, typer.Option(help="Network that leads out.")] = None,
    fixed_network: Annotated[str | None, typer.Option(help="Network for the servers, in place of a new one.")] = None,
    fixed_subnet: Annotated[str | None, typer.Option(help="Subnet for the servers.")] = None,
    flavor: Annotated[str | None, typer.Option(help="Flavor of workers.")] = None,
    master_flavor: Annotated[str | None, typer.Option(help="Flavor of masters.")] = None,
    network_driver: Annotated[
        str | None, typer.Option(help="flannel, calico, cilium; docker for swarm and mesos.")
    ] = None,
    volume_driver: Annotated[str | None, typer.Option(help="cinder, or rexray for swarm and mesos.")] = None,
    dns_nameserver: Annotated[str | None, typer.Option(help="Name server of the servers.")] = None,
    http_proxy: Annotated[str | None, typer.Option(help="Proxy for http, as a URL.")] = None,
    https_proxy: Annotated[str | None, typer.Option(help="Proxy for https, as a URL.")] = None,
    no_proxy: Annotated[str | None, typer.Option(help="Addresses that need no proxy, with commas between.")] = None,
    docker_volume_size: Annotated[int | None, typer.Option(help="GB of a volume for container images.")] = None,
    docker_storage_driver: Annotated[str | None, typer.Option(help="devicemapper, overlay or overlay2.")] = None,
    server_type: Annotated[str | None, typer.Option(help="vm or bm.")] = None,
    labels: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Labels; again for more, or with commas.")
    ] = None,
    tls_disabled: Annotated[bool | None, typer.Option("--tls-disabled", help="No TLS.")] = None,
    registry_enabled: Annotated[
        bool | None, typer.Option("--registry-enabled", help="A registry in the cluster.")
    ] = None,
    master_lb_enabled: Annotated[
        bool | None, typer.Option("--master-lb-enabled", help="A load balancer before the API.")
    ] = None,
    floating_ip_enabled: Annotated[
        bool | None, typer.Option("--floating-ip/--no-floating-ip", help="A floating IP for each server.")
    ] = None,
    public: Annotated[bool | None, typer.Option("--public", help="For every project.")] = None,
    hidden: Annotated[bool | None, typer.Option("--hidden", help="Not in lists.")] = None,
    insecure_registry: Annotated[str | None, typer.Option(help="A registry without TLS, as URL.")] = None,
    tags: Annotated[str | None, typer.Option(help="Tags, with commas between.")] = None,
    duplicate: Annotated[bool, typer.Option("--duplicate", help="Make it although the name is taken.")] = False,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Make a cluster template. What Magnum would refuse, or take and fail on later, is said first.

    zerojhub template create k8s --image fedora-coreos-38 --external-network public --labels kube_tag=v1.34.4
    """
    import anyio

    from zerojhub.cli.arguments import parse_labels
    from zerojhub.deployment import template_spec
    from zerojhub.openstack import templates
    from zerojhub.openstack.session import Cloud

    apart = ("name", "source", "duplicate", "cloud", "output", "labels")
    given = {key: value for key, value in context.params.items() if value is not None and key not in apart}
    if labels:
        given["labels"] = parse_labels(labels)
    spec = template_spec(source, given)

    created = anyio.run(lambda: templates.create(Cloud(cloud), spec, name, duplicate=duplicate))
    show_done(created, output, "made template")


@app.command("list")
def list_templates(cloud: CloudOption = None, output: OutputOption = Output.table) -> None:
    """The cluster templates in the project.

    zerojhub template list
    """
    import anyio

    from zerojhub.openstack import magnum
    from zerojhub.openstack.session import Cloud

    report.show_templates(anyio.run(magnum.templates, Cloud(cloud)), output)


@app.command("show")
def show_template(name: NameArgument, cloud: CloudOption = None, output: OutputOption = Output.table) -> None:
    """One cluster template, whole.

    zerojhub template show kubernetes-v1.34.4
    """
    import anyio

    from zerojhub.openstack import magnum
    from zerojhub.openstack.session import Cloud

    show_fields(anyio.run(magnum.get_template, Cloud(cloud), name), output)


@app.command("delete")
def delete_template(
    name: NameArgument, cloud: CloudOption = None, output: OutputOption = Output.table, yes: YesOption = False
) -> None:
    """Delete a cluster template; refused while a cluster uses it.

    zerojhub template delete k8s
    """
    import anyio

    from zerojhub.openstack import magnum, templates
    from zerojhub.openstack.session import Cloud

    here = Cloud(cloud)

    template = anyio.run(templates.get_unused, here, name)
    confirm(f"Delete the template {template['name']} ({template['uuid']})?", yes=yes)
    anyio.run(magnum.delete_template, here, template["uuid"])
    report.show_deleted(template, output)
