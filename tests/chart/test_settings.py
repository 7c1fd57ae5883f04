"""What zerojhub refuses and accepts in hub.config, held against JupyterHub itself."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any

import pytest
from jupyterhub.app import JupyterHub
from jupyterhub.auth import DummyAuthenticator
from traitlets import TraitError
from traitlets.config import Config

from tests.unit.test_settings import ACCEPTED, REFUSED
from zerojhub.hub.authenticators import SHORT_NAMES


def start(section: str, key: str, value: Any) -> Any:
    """The setting as JupyterHub, or an authenticator, has it. Raises TraitError."""
    config = Config()
    config[section].update({key: value})
    kind = JupyterHub if section == "JupyterHub" else DummyAuthenticator
    return getattr(kind(config=config), key)


@pytest.mark.parametrize(("section", "key", "value", "said"), REFUSED)
def test_what_is_refused_stops_the_hub(section, key, value, said):
    with pytest.raises(TraitError, match=key):
        start(section, key, value)


@pytest.mark.parametrize(("section", "key", "value"), ACCEPTED)
def test_what_is_accepted_starts(section, key, value):
    assert start(section, key, value)


def test_a_single_text_is_a_single_user():
    assert start("Authenticator", "admin_users", "alice, bob") == {"alice, bob"}


def test_the_short_names_are_those_of_jupyterhub_and_more():
    assert {each.name for each in entry_points(group="jupyterhub.authenticators")} <= SHORT_NAMES
