"""Glance v2: images."""

TYPES = ("image",)
"""Its types in the catalog; the audit log uses the first."""
ROOT = "/image"
"""The path of its root."""
