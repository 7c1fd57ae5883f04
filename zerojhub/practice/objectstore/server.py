"""Swift in one process: its proxy, and one server each for accounts, containers and objects.

`python server.py FOLDER` runs in Swift's own environment, with the configuration files in FOLDER, until its parent ends.
It prints the proxy's port as soon as it accepts requests.
"""

import ctypes
import logging
import signal
import sys
import warnings
from pathlib import Path
from time import time as clock

import eventlet

eventlet.monkey_patch()
import eventlet.wsgi  # noqa: E402  # what is imported from here on must find the modules patched
from swift.common import ring, utils, wsgi  # noqa: E402  # what is imported from here on must find the modules patched
from swift.common.storage_policy import reload_storage_policies  # noqa: E402  # what is imported from here on must find the modules patched

PR_SET_PDEATHSIG = 1
DAY = 86400
STORES = ("account", "container", "object")


def log_to_stderr(conf, name, log_to_console, log_route, fmt, logger, adapted_logger):
    """Swift calls it for each of its loggers (log_custom_handlers)."""
    logger.addHandler(logging.StreamHandler())


class Cache:
    """What memcached remembers for Swift, in its own process."""

    def __init__(self):
        self.entries = {}

    def get(self, key, raise_on_error=False):
        value, end = self.entries.get(key, (None, 0))
        return value if clock() < end else None

    def set(self, key, value, time=0, **options):
        self.entries[key] = value, clock() + (time or DAY)

    def delete(self, key, server_key=None):
        self.entries.pop(key, None)


def cache(conf, **more):
    """The filter that gives the others a cache."""
    remembered = Cache()

    def put_in(app):
        def serve(environ, start_response):
            environ["swift.cache"] = remembered
            return app(environ, start_response)

        return serve

    return put_in


def write_ring(folder, name, port):
    """One partition with one replica, on the one device of the server at that port."""
    builder = ring.RingBuilder(0, 1, 1)
    builder.add_dev({"region": 1, "zone": 1, "ip": "127.0.0.1", "port": port, "device": "device", "weight": 1})
    builder.rebalance()
    builder.get_ring().save(str(folder / f"{name}.ring.gz"))


def serve(folder, name, sock):
    app = wsgi.loadapp(str(folder / f"{name}.conf"), global_conf={"log_name": name})
    options = {"protocol": wsgi.SwiftHttpProtocol, "capitalize_response_headers": False, "url_length_limit": 8192}
    return eventlet.spawn(eventlet.wsgi.server, sock, app, utils.NullLogger(), **options)


def main():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    warnings.filterwarnings("ignore", message="capitalize_response_headers is disabled")
    folder = Path(sys.argv[1])
    eventlet.hubs.use_hub(wsgi.get_hub())
    utils.set_swift_dir(str(folder))
    reload_storage_policies()
    sockets = {name: eventlet.listen(("127.0.0.1", 0)) for name in (*STORES, "proxy")}
    for name in STORES:
        write_ring(folder, name, sockets[name].getsockname()[1])
    servers = [serve(folder, name, sock) for name, sock in sockets.items()]
    print(sockets["proxy"].getsockname()[1], flush=True)
    for server in servers:
        server.wait()


if __name__ == "__main__":
    main()
