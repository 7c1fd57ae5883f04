"""Access to the chart's values for the hub's configuration and hub.extraConfig.

Module and functions have the same names as in Zero to JupyterHub, because users' code imports them.
"""

import os
from functools import cache
from pathlib import Path

import yaml

SECRET = Path("/usr/local/etc/jupyterhub/secret")
"""The chart's Secret. That of hub.existingSecret is mounted beside it."""


def _secrets():
    """The Secrets, the one that takes precedence last."""
    return SECRET, SECRET.with_name("existing-secret")


@cache
def _values():
    values = {}
    for secret in _secrets():
        if (path := secret / "values.yaml").exists():
            values = _merged(values, yaml.safe_load(path.read_text()) or {})
    return values


def _merged(values, over):
    if not isinstance(values, dict) or not isinstance(over, dict):
        return over
    return values | {key: _merged(values.get(key), value) for key, value in over.items()}


def get_config(key, default=None):
    """The value at a dotted key, such as `singleuser.memory.limit`, or the default if there is no such key."""
    value = _values()
    for step in key.split("."):
        if not isinstance(value, dict) or step not in value:
            return default
        value = value[step]
    return value


def set_config_if_not_none(section, trait, key):
    """Set a trait of a configuration section to the value at the key, if there is one."""
    value = get_config(key)
    if value is not None:
        setattr(section, trait, value)


def get_secret_value(key, *default):
    """A secret of hub.existingSecret or of the chart, such as `hub.services.NAME.apiToken`. KeyError if neither has it."""
    for secret in reversed(_secrets()):
        if (path := secret / key).exists():
            return path.read_text()
    if default:
        return default[0]
    raise KeyError(f"the hub's Secret has no {key}")


def get_name(name):
    """The full name of one of the chart's resources, such as `proxy-api`."""
    return os.environ["RESOURCE_PREFIX"] + name


def get_name_env(name, suffix=""):
    """The environment variable NAME_SUFFIX that Kubernetes sets for one of the chart's Services."""
    return os.environ[(get_name(name) + suffix).upper().replace("-", "_")]
