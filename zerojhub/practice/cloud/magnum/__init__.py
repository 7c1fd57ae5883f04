"""Magnum v1: cluster templates and clusters."""

TYPES = ("container-infra",)
"""Its types in the catalog; the audit log uses the first."""
ROOT = "/container-infra"
"""The path of its root."""
