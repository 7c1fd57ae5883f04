"""Octavia v2: load balancers."""

TYPES = ("load-balancer",)
"""What catalogs call it; the audit log uses the first."""
ROOT = "/load-balancer"
"""The path that it is served at."""
