"""keystoneauth1's exceptions, and with them its session and requests, without what a command has no use for.

They load a second detector of encodings, and a library for IP addresses in case somebody wants to send one. Import this
where it is used, before anything else of keystoneauth1.
"""

from __future__ import annotations

from zerojhub.openstack.stand_ins import stand_ins

with stand_ins({"chardet": None, "netaddr": None}):
    import keystoneauth1.session
    from keystoneauth1 import exceptions as ksa

__all__ = ["keystoneauth1", "ksa"]
