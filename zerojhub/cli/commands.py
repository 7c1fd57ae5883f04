"""The commands of the top level, by name. A command's module is imported when the command runs, not at every start.

Building the options of all commands takes longer than most commands take.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import typer

from zerojhub.cli.help import Group

COMMANDS = {
    "init": ("init", "Write a hub.yaml and a config.yaml to start from, with comments."),
    "up": ("up", "Create what is missing between the project and a working hub, and print its URL."),
    "plan": ("up", "Show what `up` would do and why (exit code 3 if there is something to do)."),
    "status": ("up", "Show the state of every stage and the hub's URL (exit code 3 if something differs)."),
    "doctor": (
        "doctor",
        "Find what is wrong with a hub or a cluster, why it matters, and what to do (exit code 3 if something is).",
    ),
    "show": ("show", "Show what the deployment consists of: servers, users, load balancers and volumes."),
    "down": (
        "up",
        "Delete the hub and everything created for it. Users' volumes and accounts are kept; the next `up` gives them back.",
    ),
    "move": (
        "move",
        "Move the hub to another cluster, with everybody's files, accounts and logins. Nothing is copied.",
    ),
    "stage": ("up", "List and run single stages of the deployment."),
    "hub": ("hub", "Inspect and test the running hub, and manage its users."),
    "data": ("data", "See and change the volumes of the hub's users."),
    "backup": ("backup", "Back up users' files and the hub's accounts, and restore them."),
    "helm": ("helm", "Run Helm with the cluster's kubeconfig, in the hub's namespace."),
    "template": ("template", "Manage cluster templates."),
    "cluster": ("cluster", "Manage clusters."),
    "nodegroup": ("nodegroup", "Manage the node groups of a cluster."),
    "ca": ("ca", "Show a cluster's certificate authorities, and have them sign."),
    "quota": ("quota", "Show and set how many clusters projects may have."),
    "stats": ("stats", "Show how many clusters a project has, and how many nodes."),
    "service": ("service", "List the processes of Magnum."),
    "node": ("node", "List the nodes of a cluster and repair their machine IDs."),
    "autoscale": ("autoscale", "Manage the autoscaling of a cluster."),
    "heat": ("heat", "Create clusters from Heat templates."),
    "job": ("job", "Run jobs in the cluster and read their logs."),
    "cron": ("cron", "Run jobs in the cluster on a schedule."),
    "workshop": ("workshop", "Learn on the practice cloud, from a first hub to a class."),
    "practice": ("practice", "Run a practice cloud on this machine: OpenStack's APIs and real Linux machines."),
}
"""Name -> the module in zerojhub.cli that has its `app`, and the first line of its help."""


@functools.cache
def built(module: str) -> Any:
    """The module's command or group. Click asks for it several times on the way to a command."""
    return typer.main.get_command(import_module(f"zerojhub.cli.{module}").app)


class Commands(Group):
    """The top level."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        command = built(COMMANDS[cmd_name][0])
        # A module is a group of its own name, or has several commands of the top level.
        return getattr(command, "commands", {}).get(cmd_name, command)

    def summaries(self, ctx: Any) -> Iterator[tuple[str, str]]:
        for name, (_, text) in COMMANDS.items():
            yield name, text
