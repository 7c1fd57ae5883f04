"""Servers of the cluster that failed, do not boot, or are off."""

from __future__ import annotations

from zerojhub.doctor.finding import Finding
from zerojhub.doctor.subject import Subject
from zerojhub.openstack import nova, reasons, servers
from zerojhub.text import elapsed, one_line, seconds_between

BUILD_SECONDS = 1200
"""For a server to be built: its image may be large, and its host may not have it yet."""

WAKE = {
    "SHUTOFF": "server start",
    "PAUSED": "server unpause",
    "SUSPENDED": "server resume",
    "SHELVED": "server unshelve",
    "SHELVED_OFFLOADED": "server unshelve",
    "RESCUE": "server unrescue",
}
"""What makes a server run again that is not, by its status."""


async def failed(subject: Subject) -> list[Finding]:
    """Servers in ERROR, with Nova's reason, and those that have been building for too long."""
    found = []
    for server in await subject.servers():
        show = subject.openstack(f"server show {server['id']}")
        if server["status"] == "ERROR":
            reason = one_line(server["fault"]["message"]) if server.get("fault") else "Nova gives no reason"
            known = reasons.meaning(reason)
            why = f"{known.why}; the cluster lacks this server" if known else "the cluster lacks this server"
            do = f"{known.do}; then {_again(subject)}" if known else f"{show}; then {_again(subject)}"
            found.append(Finding("server", server["name"], server["id"], f"ERROR: {reason}", why, do))
        elif server["status"] == "BUILD" and (seconds := _age(subject, server)) > BUILD_SECONDS:
            problem = f"BUILD for {elapsed(seconds)}"
            why = "its host may be overloaded, or copying a large image"
            found.append(Finding("server", server["name"], server["id"], problem, why, show))
    return found


async def off(subject: Subject) -> list[Finding]:
    """Servers that are shut off, paused, suspended, shelved or rescued."""
    return [
        Finding(
            "server",
            server["name"],
            server["id"],
            f"it is {server['status']}",
            "its node is not ready, and whoever had a server there waits",
            subject.openstack(f"{WAKE[server['status']]} {server['id']}"),
        )
        for server in await subject.servers()
        if server["status"] in WAKE
    ]


async def not_booting(subject: Subject) -> list[Finding]:
    """Servers that are ACTIVE, but whose console log shows that the image does not boot."""
    found = []
    for server in await subject.servers():
        if server["status"] != "ACTIVE" or await subject.is_ready(server["id"]):
            continue
        if problem := await servers.boot_failure(subject.cloud, [server]):
            why = "the image is damaged, or not made for this flavor or driver; every server of it stops here"
            console, templates = f"console log show {server['id']}", subject.zerojhub("template list")
            do = f"{subject.openstack(console)}; choose another template ({templates}); then {_again(subject)}"
            found.append(Finding("server", server["name"], server["id"], problem, why, do))
    return found


def _age(subject: Subject, server: nova.Server) -> float:
    return seconds_between(server["created"], subject.cloud.compute.clock.now()) if "created" in server else 0


def _again(subject: Subject) -> str:
    """The command after which the servers are created that are missing."""
    cluster = subject.cluster
    if cluster["status"].startswith("CREATE") and not cluster["status"].endswith("COMPLETE"):
        return subject.recreate()
    return subject.zerojhub(f"cluster resize {cluster['uuid']} {cluster['node_count']}")
