"""Cinder v3: volumes and snapshots."""

TYPES = ("volumev3", "block-storage")
"""What catalogs call it; the audit log uses the first."""
ROOT = "/volume"
"""The path that it is served at."""
