"""Heat's engine, made tolerant of a slow Magnum. Runs with the Python that Heat is installed in.

Magnum responds before it has created a cluster, and returns 400 while the cluster has no node groups, which is also the
case just before it is gone. Heat fails if it polls at such a moment.
"""

import functools
import time

import heat.cmd.engine
from magnumclient.exceptions import BadRequest, NotFound
from magnumclient.v1.clusters import ClusterManager

PAUSE = 0.05
"""Seconds between two polls."""


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
