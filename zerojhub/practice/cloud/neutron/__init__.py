"""Neutron v2.0: networks, routers, ports, security groups and floating IPs."""

TYPES = ("network",)
"""What catalogs call it; the audit log uses the first."""
ROOT = "/network"
"""The path that it is served at."""
