"""Nova v2.1: servers, flavors and keypairs."""

TYPES = ("compute",)
"""What catalogs call it; the audit log uses the first."""
ROOT = "/compute"
"""The path that it is served at."""
