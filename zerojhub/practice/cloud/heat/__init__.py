"""Heat v1: stacks, both those behind clusters and people's own."""

TYPES = ("orchestration",)
"""What catalogs call it; the audit log uses the first."""
ROOT = "/orchestration"
"""The path that it is served at."""
