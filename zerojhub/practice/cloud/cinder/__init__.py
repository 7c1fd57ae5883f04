"""Cinder v3: volumes and snapshots."""

TYPES = ("volumev3", "block-storage")
"""Its types in the catalog; the audit log uses the first."""
ROOT = "/volume"
"""The path of its root."""
