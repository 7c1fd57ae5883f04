"""Run a cell in a user's server: a kernel over its WebSocket, through the hub's proxy, as JupyterLab does."""

from __future__ import annotations

import contextlib
import json
import uuid
from typing import Any

import anyio
from typing_extensions import TypedDict

from zerojhub import retry
from zerojhub.hub.client import SERVICE, HubClient, HubError
from zerojhub.retry import Transient
from zerojhub.tls import hubs


class Kernel(TypedDict):
    """A kernel, as Jupyter Server has it."""

    id: str


SHUTDOWN = 10
"""Seconds for the kernel to be shut down."""


async def run_cell(server: HubClient, code: str, *, timeout: float = 60) -> str:
    """Run code in a new kernel, which is shut down afterwards. Returns what the code prints and its last expression.

    `server` is a client for the user's server, with a token of that user. If the connection is lost, the code runs again in
    another kernel. Raises HubError if the cell raises an exception or does not finish within `timeout` seconds.
    """
    return await retry.attempts(lambda: _run_once(server, code, timeout), repeatable=True)


async def _run_once(server: HubClient, code: str, timeout: float) -> str:
    """One attempt. Raises Transient."""
    kernel: Kernel = await server.json("POST", "/api/kernels", of=Kernel, body={}, timeout=timeout)
    try:
        with anyio.fail_after(timeout):
            return await _converse(server, kernel["id"], code)
    except TimeoutError:
        raise HubError(f"the cell did not finish within {timeout:g} s", where=server.url) from None
    finally:
        # It ends with the server otherwise.
        with anyio.move_on_after(SHUTDOWN, shield=True), contextlib.suppress(HubError):
            await server.request("DELETE", f"/api/kernels/{kernel['id']}", check=False)


async def _converse(server: HubClient, kernel: str, code: str) -> str:
    """Jupyter's messaging protocol: one execute_request, and its replies until it is done and the kernel is idle."""
    from websockets.asyncio.client import connect
    from websockets.exceptions import InvalidStatus, WebSocketException

    request = _execute_request(code)
    mine = request["header"]["msg_id"]
    url = f"{server.url.replace('http', 'ws', 1)}/api/kernels/{kernel}/channels?session_id={uuid.uuid4().hex}"
    printed: list[str] = []
    replied = idle = False
    try:
        secure = hubs() if url.startswith("wss:") else None
        async with connect(url, additional_headers=server.headers, max_size=None, ssl=secure) as channel:
            await channel.send(json.dumps(request))
            while not (replied and idle):
                match json.loads(await channel.recv()):
                    case {"parent_header": {"msg_id": of}, "msg_type": kind, "content": dict(content)} if of == mine:
                        pass
                    case _:
                        continue
                match kind, content:
                    case ("stream", {"text": str(text)}) | ("execute_result", {"data": {"text/plain": str(text)}}):
                        printed.append(text)
                    case "error", _:
                        raised = f"{content.get('ename')}: {content.get('evalue')}"
                        raise HubError(f"the cell raised {raised}", where=server.url)
                    case "execute_reply", _:
                        replied = True
                    case "status", _:
                        idle = content.get("execution_state") == "idle"
    except (WebSocketException, OSError, ValueError) as error:
        lost = HubError(f"the connection to the kernel failed: {error}", where=server.url)
        fault = retry.of_exception(SERVICE, error)
        if isinstance(error, InvalidStatus):
            fault = retry.of_status(SERVICE, error.response.status_code, error.response.headers)
        raise (Transient(fault, lost) if fault else lost) from None
    return "".join(printed)


def _execute_request(code: str) -> dict[str, Any]:
    header = {
        "msg_id": uuid.uuid4().hex,
        "msg_type": "execute_request",
        "session": uuid.uuid4().hex,
        "username": "zerojhub",
        "version": "5.3",
    }
    content = {"code": code, "silent": False, "store_history": False, "allow_stdin": False, "stop_on_error": True}
    return {"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell"}
