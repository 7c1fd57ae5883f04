"""Designate v2: zones and their recordsets, which the practice cloud's own name server has as well."""

TYPES = ("dns",)
"""Its types in the catalog; the audit log uses the first."""
ROOT = "/dns"
"""The path of its root."""
