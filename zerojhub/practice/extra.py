"""The packages of the `practice` extra, which serve the practice cloud's APIs."""

from __future__ import annotations

from importlib.util import find_spec

from zerojhub.errors import ZeroJHubError

PACKAGES = ("starlette", "uvicorn")


def require() -> None:
    """Raises ZeroJHubError when one of them is not installed."""
    if missing := [package for package in PACKAGES if find_spec(package) is None]:
        raise ZeroJHubError(
            f"the practice cloud needs {' and '.join(missing)}", hint="pip install 'zerojhub[practice]'"
        )
