"""A fake hub: the part of JupyterHub's API that zerojhub uses, patched into httpx."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any, Self

import httpx

PREFIX = "/hub/api/users"


class FakeHub:
    """Its state is public, for tests to set and read."""

    def __init__(self) -> None:
        self.users: dict[str, dict[str, Any]] = {}
        self.requests: list[httpx.Request] = []
        self.events: list[dict[str, Any]] = [{"ready": True}]
        self.looks_until_stopped = 0
        self.fail: httpx.Response | Exception | None = None
        """The response to every request, if set."""
        self.refuse: Callable[[], httpx.Response] | None = None
        """The response to every request except GET, if set."""
        self.on_delete: Callable[[str], None] = lambda name: None
        """Called with the name of a user who is deleted: as KubeSpawner, which deletes claims then."""
        self.admin_token: str | None = None
        """The only token of a service that is an administrator, if set."""
        self.faults: list[httpx.Response | Exception] = []
        """What becomes of the next requests: a response in place of the hub's, or an exception after the hub did its work."""

    @classmethod
    def install(cls, monkeypatch) -> Self:
        hub = cls()
        client = functools.partial(httpx.AsyncClient, transport=httpx.MockTransport(hub.handle))
        monkeypatch.setattr(httpx, "AsyncClient", client)
        return hub

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        fault = self.faults.pop(0) if self.faults else None
        if isinstance(fault, httpx.Response):
            return fault
        answer = self._handle(request)
        if fault:
            raise fault
        return answer

    def _handle(self, request: httpx.Request) -> httpx.Response:
        if isinstance(self.fail, Exception):
            raise self.fail
        if self.fail:
            return self.fail
        if self.refuse and request.method != "GET":
            return self.refuse()
        if request.url.path == PREFIX and request.method == "POST":
            return self._add(json.loads(request.content)["usernames"])
        if request.url.path == PREFIX:
            start, limit = int(request.url.params["offset"]), int(request.url.params["limit"])
            return httpx.Response(200, json=list(self.users.values())[start : start + limit])
        name, _, rest = request.url.path.removeprefix(f"{PREFIX}/").partition("/")
        if request.method == "POST" and not rest:
            self.users[name] = {"name": name, "servers": {}}
            return httpx.Response(201, json=self.users[name])
        if rest == "server/progress":
            return httpx.Response(200, text="".join(f"data: {json.dumps(event)}\n\n" for event in self.events))
        if name not in self.users:
            return httpx.Response(404, json={"status": 404, "message": "no such user"})
        if request.method == "PATCH":
            if self.admin_token and request.headers["authorization"] != f"token {self.admin_token}":
                return httpx.Response(403, json={"message": "Only admins can grant admin permissions"})
            self.users[name] |= json.loads(request.content)
            return httpx.Response(200, json=self.users[name])
        return self._answer(request.method, self.users[name], rest)

    def _add(self, names: list[str]) -> httpx.Response:
        if invalid := [name for name in names if "/" in name or name != name.strip()]:
            return httpx.Response(400, json={"message": f"Invalid username: {invalid[0]}"})
        added: list[dict[str, Any]] = [
            {"name": name.lower(), "servers": {}} for name in names if name.lower() not in self.users
        ]
        self.users |= {user["name"]: user for user in added}
        if not added:
            return httpx.Response(409, json={"message": f"All {len(names)} users already exist"})
        return httpx.Response(201, json=added)

    def _answer(self, method: str, user: dict[str, Any], rest: str) -> httpx.Response:
        match method, rest.split("/"):
            case "GET", [""]:
                if user.get("stopping"):
                    user["stopping"] -= 1
                    user["servers"] = user["servers"] if user["stopping"] else {}
                return httpx.Response(200, json=user)
            case "DELETE", [""]:
                self.on_delete(user["name"])
                del self.users[user["name"]]
                return httpx.Response(204)
            case "POST", ["tokens"]:
                return httpx.Response(201, json={"token": f"token of {user['name']}"})
            case "POST", ["server"]:
                if user["servers"]:
                    return httpx.Response(400, json={"message": f"{user['name']} is already running"})
                user["servers"] = {"": {"url": f"/user/{user['name']}/", "started": "2026-01-31T10:00:00.5Z"}}
                return httpx.Response(202)
            case "DELETE", ["server"]:
                if not user["servers"]:
                    return httpx.Response(400, json={"message": f"{user['name']} is not running"})
                user["stopping"] = self.looks_until_stopped
                user["servers"] = user["servers"] if user["stopping"] else {}
                return httpx.Response(202)
            case "DELETE", ["servers", server]:
                user["servers"].pop(server, None)
                return httpx.Response(204)
        return httpx.Response(405)
