"""What is done to an existing cluster: resize, upgrade, autoscale, credentials, machine ids, delete.

Functions take a Run, and a Reach or a way to get one; they know nothing of the stages that find it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from zerojhub.kube.reach import Reach

Connect = Callable[[], Awaitable[Reach]]
"""Connects to the cluster; called again, it connects anew."""

Ask = Callable[[str], None]
"""Asks the user whether to go on, and raises when the answer is no."""
