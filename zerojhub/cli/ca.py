"""zerojhub ca: a cluster's certificate authorities."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from zerojhub.cli.help import App
from zerojhub.cli.options import CloudOption, ClusterArgument, OutputOption
from zerojhub.cli.run import request
from zerojhub.report.results import Output, show_pem

app = App("Show a cluster's certificate authorities, and have them sign.")


class Kind(StrEnum):
    """What trusts the CA."""

    kubernetes = "kubernetes"
    etcd = "etcd"
    front_proxy = "front-proxy"


KindOption = Annotated[
    Kind,
    typer.Option(
        "--type",
        metavar="kubernetes|etcd|front-proxy",
        help="Which of the cluster's CAs; Magnum has the last two since OpenStack Xena.",
    ),
]


@app.command("show")
def show_ca(
    cluster: ClusterArgument,
    kind: KindOption = Kind.kubernetes,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Print the certificate of a CA of the cluster.

    Examples:
        zerojhub ca show k8s > ca.pem
        zerojhub ca show k8s --type etcd
    """
    from zerojhub.cluster import authorities

    show_pem(request(cloud, lambda here: authorities.certificate(here, cluster, kind.value)), output)


@app.command("sign")
def sign(
    cluster: ClusterArgument,
    csr: Annotated[Path, typer.Argument(metavar="CSR", help="File with a certificate signing request, in PEM.")],
    kind: KindOption = Kind.kubernetes,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Have a CA of the cluster sign a certificate signing request, and print the certificate.

    The subject of the request is the user (CN) and the groups (O) in Kubernetes.

    Examples:
        openssl req -new -newkey rsa:2048 -nodes -keyout me.key -subj /O=viewers/CN=me -out me.csr
        zerojhub ca sign k8s me.csr > me.pem
    """
    from zerojhub.cluster import authorities

    text = authorities.read_request(csr)
    show_pem(request(cloud, lambda here: authorities.sign(here, cluster, text, kind.value)), output)
