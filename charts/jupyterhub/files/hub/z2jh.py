"""The chart's values, as the hub's configuration and hub.extraConfig read them.

Named as in Zero to JupyterHub, whose users' code imports these functions from here.
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
    """The value at a dotted key, such as `singleuser.memory.limit`; the default where the values have no such key."""
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
    """A secret that the chart keeps, such as `hub.services.NAME.apiToken`. KeyError where there is no such secret."""
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
    """What Kubernetes' environment variable NAME_SUFFIX says of one of the chart's Services."""
    return os.environ[(get_name(name) + suffix).upper().replace("-", "_")]
