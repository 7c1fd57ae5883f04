"""The stages between an empty project and a hub, listed in the order in which people think of them.

The engine (zerojhub/graph.py) derives the real order from what each stage needs, and runs stages concurrently.
"""

from zerojhub.graph import AnyStage
from zerojhub.stages.access import Access
from zerojhub.stages.address import Address
from zerojhub.stages.autoscale import Autoscale
from zerojhub.stages.backup import Backup
from zerojhub.stages.certificate import Certificate
from zerojhub.stages.chart import Chart
from zerojhub.stages.check import Check
from zerojhub.stages.cluster import Cluster
from zerojhub.stages.dns import Dns
from zerojhub.stages.endpoint import Endpoint
from zerojhub.stages.floating_ip import FloatingIP
from zerojhub.stages.helm import HelmProgram
from zerojhub.stages.kept import Kept
from zerojhub.stages.kept_address import KeptAddress
from zerojhub.stages.kept_certificate import KeptCertificate
from zerojhub.stages.keypair import Keypair
from zerojhub.stages.login import Login
from zerojhub.stages.preflight import Preflight
from zerojhub.stages.storage import StorageClass
from zerojhub.stages.template import Template
from zerojhub.stages.values import Values
from zerojhub.stages.volumes import Volumes

__all__ = [
    "STAGES",
    "Access",
    "Address",
    "Autoscale",
    "Backup",
    "Certificate",
    "Chart",
    "Check",
    "Cluster",
    "Dns",
    "Endpoint",
    "FloatingIP",
    "HelmProgram",
    "Kept",
    "KeptAddress",
    "KeptCertificate",
    "Keypair",
    "Login",
    "Preflight",
    "StorageClass",
    "Template",
    "Values",
    "Volumes",
]

STAGES: tuple[AnyStage, ...] = (
    Preflight,
    Kept,
    Keypair,
    Template,
    FloatingIP,
    KeptAddress,
    Cluster,
    Access,
    Autoscale,
    HelmProgram,
    StorageClass,
    Login,
    Values,
    Volumes,
    KeptCertificate,
    Chart,
    Address,
    Dns,
    Certificate,
    Endpoint,
    Check,
    Backup,
)
