"""Run a cell in a user's server: a kernel over its WebSocket, through the hub's proxy, as JupyterLab does."""

from __future__ import annotations

import json
import uuid
from typing import Any

import anyio

from zerojhub.hub.client import HubClient, HubError


async def run_cell(server: HubClient, code: str, *, timeout: float = 60) -> str:
    """Run code in a new kernel, which is shut down afterwards. Returns what the code prints and its last expression.

    `server` is a client for the user's server, with a token of that user. Raises HubError if the cell raises an exception
    or does not finish within `timeout` seconds.
    """
    kernel = (await server.request("POST", "/api/kernels", body={}, timeout=timeout)).json()["id"]
    try:
        with anyio.fail_after(timeout):
            return await _converse(server, kernel, code)
    except TimeoutError:
        raise HubError(f"the cell did not finish within {timeout:g} s", where=server.url) from None
    finally:
        with anyio.CancelScope(shield=True):
            await server.request("DELETE", f"/api/kernels/{kernel}", check=False)


async def _converse(server: HubClient, kernel: str, code: str) -> str:
    """Jupyter's messaging protocol: one execute_request, and its replies until it is done and the kernel is idle."""
    from websockets.asyncio.client import connect
    from websockets.exceptions import WebSocketException

    request = _execute_request(code)
    url = f"{server.url.replace('http', 'ws', 1)}/api/kernels/{kernel}/channels?session_id={uuid.uuid4().hex}"
    printed: list[str] = []
    replied = idle = False
    try:
        async with connect(url, additional_headers=server.headers, max_size=None) as channel:
            await channel.send(json.dumps(request))
            while not (replied and idle):
                message = json.loads(await channel.recv())
                if message.get("parent_header", {}).get("msg_id") != request["header"]["msg_id"]:
                    continue
                content = message["content"]
                match message["msg_type"]:
                    case "stream":
                        printed.append(content["text"])
                    case "execute_result":
                        printed.append(content["data"].get("text/plain", ""))
                    case "error":
                        raise HubError(f"the cell raised {content['ename']}: {content['evalue']}", where=server.url)
                    case "execute_reply":
                        replied = True
                    case "status":
                        idle = content["execution_state"] == "idle"
    except (WebSocketException, OSError) as error:
        raise HubError(f"the connection to the kernel failed: {error}", where=server.url) from None
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
