"""The refusal of a request, before the service turns it into its own error response."""

from __future__ import annotations


class Refusal(Exception):
    """A request is refused. `kind` is the error type, for services whose error bodies have one; `request_id` likewise."""

    def __init__(self, status: int, message: str, kind: str = "", headers: dict[str, str] | None = None):
        super().__init__(message)
        self.status, self.message, self.kind, self.headers = status, message, kind, headers or {}
        self.request_id = ""
