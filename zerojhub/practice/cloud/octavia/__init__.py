"""Octavia v2: load balancers."""

TYPES = ("load-balancer",)
"""Its types in the catalog; the audit log uses the first."""
ROOT = "/load-balancer"
"""The path of its root."""
