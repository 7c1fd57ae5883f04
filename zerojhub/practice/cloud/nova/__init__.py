"""Nova v2.1: servers, flavors and keypairs."""

TYPES = ("compute",)
"""Its types in the catalog; the audit log uses the first."""
ROOT = "/compute"
"""The path of its root."""
