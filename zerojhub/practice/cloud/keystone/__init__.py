"""Keystone v3: tokens, the catalog, application credentials and trusts."""

TYPES = ("identity",)
"""What catalogs call it; the audit log uses the first."""
ROOT = "/identity"
"""The path that it is served at."""
