"""Heat's engine, with patience for a Magnum on a busy machine; run by the Python that Heat is installed for.

Magnum answers before it has a cluster, and shows none (400) without its node groups, as in the moment before it is gone: a
Heat that looks just then fails.
"""

import functools
import time

import heat.cmd.engine
from magnumclient.exceptions import BadRequest, NotFound
from magnumclient.v1.clusters import ClusterManager

PAUSE = 0.05
"""Seconds between two looks."""


def whole(look):
    @functools.wraps(look)
    def look_again(clusters, ident):
        while True:
            try:
                return look(clusters, ident)
            except BadRequest:
                time.sleep(PAUSE)

    return look_again


def there(create):
    @functools.wraps(create)
    def create_and_wait(clusters, **properties):
        made = create(clusters, **properties)
        while True:
            try:
                clusters.get(made.uuid)
            except NotFound:
                time.sleep(PAUSE)
            else:
                return made

    return create_and_wait


ClusterManager.get = whole(ClusterManager.get)
ClusterManager.create = there(ClusterManager.create)
heat.cmd.engine.main()
