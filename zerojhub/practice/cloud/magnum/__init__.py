"""Magnum v1: cluster templates and clusters."""

TYPES = ("container-infra",)
"""What catalogs call it; the audit log uses the first."""
ROOT = "/container-infra"
"""The path that it is served at."""
