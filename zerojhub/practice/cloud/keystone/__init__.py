"""Keystone v3: tokens, the catalog, application credentials and trusts."""

TYPES = ("identity",)
"""Its types in the catalog; the audit log uses the first."""
ROOT = "/identity"
"""The path of its root."""
