"""How an API says no, before a service puts it in its own words."""

from __future__ import annotations


class Refusal(Exception):
    """The API says no. `kind` is the error's type where the service's error bodies carry one."""

    def __init__(self, status: int, message: str, kind: str = "", headers: dict[str, str] | None = None):
        super().__init__(message)
        self.status, self.message, self.kind, self.headers = status, message, kind, headers or {}
