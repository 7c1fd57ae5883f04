"""Glance v2: images."""

TYPES = ("image",)
"""What catalogs call it; the audit log uses the first."""
ROOT = "/image"
"""The path that it is served at."""
