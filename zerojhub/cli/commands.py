"""The commands of the top level, by name: a command's module is imported when it is run, not whenever the program is.

Building the options of all commands takes longer than most commands do.
"""

from __future__ import annotations

from importlib import import_module

import typer
from typer.core import TyperGroup

COMMANDS = {
    "init": ("init", "Write a hub.yaml and a config.yaml to start from, explained in comments."),
    "up": ("up", "Create what is missing between the project and a working hub, and print its URL."),
    "plan": ("up", "Show what `up` would do and why, without doing it (exit code 3 when there is something to do)."),
    "status": (
        "up",
        "Show the state of every stage and the hub's URL (exit code 3 when something is not as the deployment asks).",
    ),
    "show": ("show", "Show what the deployment consists of: servers, users, load balancers and volumes."),
    "down": ("up", "Delete the hub and everything created for it; users' volumes are kept and listed."),
    "stage": ("up", "Single stages of the deployment."),
    "hub": ("hub", "The running hub."),
    "helm": ("helm", "Run Helm for the hub's cluster, in its namespace, on the master or on this machine."),
    "template": ("template", "Cluster templates of the project, and public ones."),
    "cluster": ("cluster", "Clusters of the project."),
    "nodegroup": ("nodegroup", "Node groups of a cluster."),
    "node": ("node", "Nodes of a cluster, and their machine-ids."),
    "autoscale": ("autoscale", "Clusters that grow and shrink by themselves."),
    "heat": ("heat", "Clusters by way of Heat templates."),
    "job": ("job", "Jobs in the cluster: run to their end, watched, read, taken away."),
    "cron": ("cron", "Cron jobs in the cluster: jobs on a schedule."),
    "workshop": ("workshop", "Lessons on the practice cloud, from a first hub to a class."),
    "practice": ("practice", "A cloud to practise on: OpenStack's APIs, real machines, all on this one."),
}
"""Name -> the module below zerojhub.cli that has its `app`, and what the help says of it."""


class Commands(TyperGroup):
    """The top level."""

    def list_commands(self, ctx) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx, cmd_name: str):
        if cmd_name not in COMMANDS:
            return None
        command = typer.main.get_command(import_module(f"zerojhub.cli.{COMMANDS[cmd_name][0]}").app)
        # A module is a group of its own name, or has several commands of the top level.
        return getattr(command, "commands", {}).get(cmd_name, command)

    def format_commands(self, ctx, formatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])
