"""The way into a cluster, the same for every later step whether it is SSH or the API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from zerojhub.kube.client import Kube
    from zerojhub.machine import Machine


@dataclass(frozen=True)
class Reach:
    """A connection to a cluster."""

    machine: Machine
    """Where Helm runs: the master (SSH road) or this machine (API road)."""
    kubeconfig: str
    """Path of the kubeconfig on that machine."""
    kube: Kube
    """The API, used from this machine."""
    address: str | None
    """The address of the first master on the SSH road, a floating IP if it has one; None on the API road."""
    version: str
    """The API server's version, such as `v1.34.4`."""

    @property
    def road(self) -> Literal["ssh", "api"]:
        """How it was reached: SSH to the master, or the API alone."""
        from zerojhub.machine.local import LocalMachine

        return "api" if isinstance(self.machine, LocalMachine) else "ssh"

    @property
    def sudo(self) -> bool:
        """Whether reading the kubeconfig needs root: on a master only root can."""
        return self.road == "ssh"
