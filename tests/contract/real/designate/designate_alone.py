"""Designate's services in one process, with messages in memory, and a name server that takes every zone.

The name server answers like a secondary one: what it has, it has from Designate's mini-DNS.
"""

import os
import socket
import threading

import designate.cmd  # noqa: F401  # first, as it has oslo.service use threads
import dns.message
import dns.opcode
import dns.query
import dns.rcode
from designate.backend.impl_fake import FakeBackend
from designate.central.service import Service as Central
from designate.manage.pool import PoolCommands
from designate.mdns.service import Service as MiniDNS
from designate.producer.service import Service as Producer
from designate.worker.service import Service as Worker
from designate.wsgi.api import application

__all__ = ["application"]  # which gunicorn serves

zones: set[str] = set()
FakeBackend.create_zone = lambda self, context, zone: zones.add(zone.name)
FakeBackend.delete_zone = lambda self, context, zone, zone_params=None: zones.discard(zone.name)


def name_server(own: socket.socket) -> None:
    while True:
        wire, sender = own.recvfrom(65535)
        query = dns.message.from_wire(wire)
        answer = dns.message.make_response(query)
        if query.opcode() == dns.opcode.QUERY and query.question[0].name.to_text() in zones:
            answer = dns.query.udp(query, "127.0.0.1", port=int(os.environ["MINI_DNS"]), timeout=5)
        elif query.opcode() == dns.opcode.QUERY:
            answer.set_rcode(dns.rcode.REFUSED)
        own.sendto(answer.to_wire(), sender)


served = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
served.bind(("127.0.0.1", int(os.environ["NAME_SERVER"])))
threading.Thread(target=name_server, args=(served,), daemon=True).start()
central = Central()
central.start()
PoolCommands().update(os.path.join(os.environ["OS_DESIGNATE_CONFIG_DIR"], "pools.yaml"), delete=False)
started = [Producer(), Worker(), MiniDNS()]
for each in started:
    each.start()
