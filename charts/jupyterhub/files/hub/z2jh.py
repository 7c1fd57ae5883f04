"""Access to the chart's values for the hub's configuration and hub.extraConfig.

Module and functions have the same names as in Zero to JupyterHub, because users' code imports them.
"""

import os
from functools import cache
from pathlib import Path

import yaml

SECRET = Path("/usr/local/etc/jupyterhub/secret")


@cache
def _values():
    return yaml.safe_load((SECRET / "values.yaml").read_text())


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
    """A secret stored by the chart, such as `hub.services.NAME.apiToken`. Raises KeyError if it does not exist."""
    path = SECRET / key
    if path.exists():
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
