"""What later stages need of a cluster, whichever road led to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zerojhub.kube.client import Kube
    from zerojhub.machine import Machine


@dataclass(frozen=True)
class Reach:
    """A cluster within reach."""

    machine: Machine
    """Where Helm runs: the master (SSH road) or this machine (API road)."""
    kubeconfig: str
    """Path of the kubeconfig on that machine."""
    kube: Kube
    """The API, from here."""
    address: str | None
    """The floating IP of the first master, when it has one."""
    version: str
    """The API server's version, such as `v1.34.4`."""

    @property
    def sudo(self) -> bool:
        """Does reading the kubeconfig take root? A master's is root's own."""
        from zerojhub.machine.local import LocalMachine

        return not isinstance(self.machine, LocalMachine)
