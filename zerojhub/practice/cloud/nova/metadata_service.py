"""Nova's metadata service, where servers read about themselves
(https://docs.openstack.org/nova/latest/user/metadata.html).
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from zerojhub.practice.cloud.store import Store


async def show(request: Request) -> Response:
    """Metadata of the server with the client's address."""
    store: Store = request.app.state.store
    address = request.client.host if request.client else ""
    ports = (port for port in store.ports.values() if any(ip["ip_address"] == address for ip in port["fixed_ips"]))
    server = next((store.servers[port["device_id"]] for port in ports if port["device_id"] in store.servers), None)
    if not server:
        return Response("404 Not Found", 404)
    keypair = store.keypairs.get(server["key_name"] or "")
    about = {
        "uuid": server["id"],
        "name": server["name"],
        "hostname": server["name"],
        "availability_zone": store.zone,
        "project_id": server["project_id"],
        "launch_index": 0,
        "meta": server["metadata"],
        "public_keys": {keypair["name"]: keypair["public_key"]} if keypair else {},
        "devices": [],
    }
    return JSONResponse(about)


ROUTES = [Route("/openstack/{version}/meta_data.json", show)]
