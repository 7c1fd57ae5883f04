"""Heat v1: stacks, both those behind clusters and users' own."""

TYPES = ("orchestration",)
"""Its types in the catalog; the audit log uses the first."""
ROOT = "/orchestration"
"""The path of its root."""
