"""Labels, annotations, taints and phases by which the pods and claims of a hub are recognized.

Programs in the cluster use them, too: this needs nothing but Python's standard library (see `backup.pod.PROGRAMS`).
"""

from __future__ import annotations

USER_SERVER = "singleuser-server"
"""The component label of a user's server."""
USER_STORAGE = "singleuser-storage"
"""The component label of a user's claim."""
USERNAME = "hub.jupyter.org/username"
"""The annotation with the user's name on the pods and claims that KubeSpawner creates."""
SERVERNAME = "hub.jupyter.org/servername"
"""The annotation with the server's name, if it is not the default server."""
ENDED = ("Succeeded", "Failed")
"""The phases of a pod that has ended."""
USERS_NODES = [
    {"key": key, "operator": "Equal", "value": "user", "effect": "NoSchedule"}
    for key in ("hub.jupyter.org/dedicated", "hub.jupyter.org_dedicated")
]
"""The tolerations of taints on nodes that are for users' servers only."""
