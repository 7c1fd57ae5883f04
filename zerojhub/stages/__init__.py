"""The stages between an empty project and a hub, in the order in which people tell them.

The true order comes from what each of them needs (see journey.py): what can overlap does.
"""

from zerojhub.stages.access import Access
from zerojhub.stages.autoscale import Autoscale
from zerojhub.stages.base import Stage
from zerojhub.stages.chart import Chart
from zerojhub.stages.check import Check
from zerojhub.stages.cluster import Cluster
from zerojhub.stages.endpoint import Endpoint
from zerojhub.stages.floating_ip import FloatingIP
from zerojhub.stages.helm import HelmProgram
from zerojhub.stages.keypair import Keypair
from zerojhub.stages.preflight import Preflight
from zerojhub.stages.storage import StorageClass
from zerojhub.stages.template import Template
from zerojhub.stages.values import Values

STAGES: tuple[type[Stage], ...] = (
    Preflight,
    Keypair,
    Template,
    FloatingIP,
    Cluster,
    Access,
    Autoscale,
    HelmProgram,
    StorageClass,
    Values,
    Chart,
    Endpoint,
    Check,
)
