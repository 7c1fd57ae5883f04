"""Backups: of every user's files and of the hub's accounts, with restic, by pods in the cluster.

`night`, `worker` and `pod` also run in the cluster, in the hub's image: they use nothing but Python's standard library, each
other, `hub.names`, `hub.database` and `kube.labels` (see `pod.PROGRAMS`).
"""
