"""Swift, the object store: a real one, which also serves the S3 API."""

TYPES = ("object-store",)
"""Its types in the catalog; the audit log uses the first."""
ROOT = "/object-store"
"""The path of its root."""
