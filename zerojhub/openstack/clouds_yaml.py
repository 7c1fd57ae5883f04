"""clouds.yaml: openstacksdk reads it, and this module says where a mistake is.

openstacksdk decides which files count and what they mean. It checks hardly any types, and skips a file that is not YAML
without an error, so the same files are looked at here, with line numbers, when something in them does not fit.
Every error is a UserError (exit code 2).
"""

from __future__ import annotations

import codecs
import importlib.util
import json
import os
import re
import sys
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from zerojhub import files, masking
from zerojhub.errors import UserError
from zerojhub.openstack.stand_ins import stand_ins
from zerojhub.placeholders import placeholder, placeholder_in
from zerojhub.text import nearest, one_line
from zerojhub.yamlfile import PYYAML, KeyPath, line_of, load, written

if TYPE_CHECKING:
    from openstack.config import OpenStackConfig
    from openstack.config.cloud_region import CloudRegion

FROM_VARIABLES = ("password", "passcode", "application_credential_secret", "region_name")
"""Settings of an entry that the `openstack` client also takes from OS_* variables, besides many that nobody keeps there."""
PROFILES = "public-clouds"
"""The section of clouds-public.yaml."""
FILES = ("cacert", "cert", "key")
BESIDE_AUTH = {*FILES, "verify", "insecure", "region_name", "regions", "interface", "auth_type", "profile", "cloud"}
"""Settings of an entry that are often put into its `auth`."""
TEXTS = re.compile(
    r"region_name|profile|cloud|auth_type|cacert|cert|key|(\w+_)?(interface|endpoint_override|endpoint_type)"
)
"""Settings whose values are text."""
NO_LIST = re.compile(r"profile|cloud|auth_type|cacert|cert|key")
"""Those of them whose value cannot be a list."""
BESIDE_CLOUDS: dict[str, tuple[type, str]] = dict.fromkeys(("cache", "client", "metrics"), (dict, "a mapping"))
SHAPES: dict[str, tuple[type, str]] = {
    "regions": (list, "a list"),
    "networks": (list, "a list of mappings"),
    **{key: shape for key, shape in BESIDE_CLOUDS.items() if key != "client"},
}
"""Settings of an entry, and of the whole file, that openstacksdk takes apart without looking."""
REQUIRED = re.compile(r"auth_url|username|password|token|passcode|(\w+_)?(domain|project|tenant|credential)_\w+")
"""Keys of `auth` that openstacksdk does not drop when they are empty."""


def load_config() -> type[OpenStackConfig]:
    """openstacksdk's reader of clouds.yaml, without the proxies of fifty services and without metrics.

    `import openstack` loads all of them, half a second that a `cluster list` has no use for: an empty stand-in for the
    package's own `__init__` lets `openstack.config` be imported alone. It loads the base of the proxies and a client of
    Prometheus, too, though only for annotations and on request; there are stand-ins for those while it is imported.
    """
    if "openstack" not in sys.modules:
        spec = importlib.util.find_spec("openstack")
        assert spec is not None and spec.submodule_search_locations is not None  # a dependency of this package
        package = types.ModuleType("openstack")
        package.__path__, package.__spec__ = spec.submodule_search_locations, spec
        sys.modules["openstack"] = package
    if "openstack.config" not in sys.modules:
        proxy = types.ModuleType("openstack.proxy")
        vars(proxy)["__getattr__"] = lambda name: object
        with stand_ins({"openstack.proxy": proxy, "prometheus_client": None}):
            import openstack.config
    import openstack.config

    return openstack.config.OpenStackConfig


@dataclass(frozen=True)
class CloudsFile:
    """A file with clouds or profiles in its `section`, as openstacksdk reads it; without a path if there is none."""

    section: str
    path: Path | None = None
    document: Any = None
    problems: list[UserError] = field(default_factory=list)
    """What is wrong with files that openstacksdk skips without an error."""

    def where(self, *place: str | int) -> str:
        """file:line of the key."""
        return f"{self.path}:{line_of(self.document, place)}"

    def names(self) -> list[str]:
        """What is defined. UserError when the file is not a mapping of names."""
        if self.document is None:
            return []
        if not isinstance(self.document, Mapping):
            raise UserError(f"must be a mapping with {self.section}, not {_shown(self.document)}", where=self.where())
        for mistake in self._misshapen(self.document, BESIDE_CLOUDS):
            raise mistake
        section = self.document.get(self.section, {})
        if not isinstance(section, Mapping):
            raise UserError(
                f"{self.section} must be a mapping of names, not {_shown(section)}", where=self.where(self.section)
            )
        return list(section)

    def entry(self, name: str) -> Any:
        """The entry of a name that is defined; empty for another."""
        return self.document[self.section][name] if name in self.names() else {}

    def mistakes(self, name: str) -> Iterator[UserError]:
        """What openstacksdk would not understand in the entry."""
        place, entry = (self.section, name), self.entry(name)
        if not isinstance(entry, Mapping):
            yield UserError(
                f"cloud {name!r} must be a mapping with auth, not {_shown(entry)}", where=self.where(*place)
            )
            return
        yield from self._misshapen(entry, SHAPES, *place)
        for number, network in enumerate(entry.get("networks") or ()):
            if not isinstance(network, Mapping):
                where = self.where(*place, "networks", number)
                yield UserError(f"networks must be a list of mappings, not of {_shown(network)}", where=where)
        try:
            float(entry.get("api_timeout") or 0)
        except (TypeError, ValueError):
            message = f"api_timeout must be a number of seconds, not {_shown(entry['api_timeout'])}"
            yield UserError(message, where=self.where(*place, "api_timeout"))
        if "auth_type" in entry and not entry["auth_type"]:  # openstacksdk takes that for no authentication at all
            where, hint = self.where(*place, "auth_type"), "fill it in, or remove the line"
            yield UserError("auth_type has no value", where=where, hint=hint)
        yield from self._text_mistakes(
            place, {key: entry[key] for key in entry if TEXTS.fullmatch(key.replace("-", "_"))}
        )
        auth = entry.get("auth", {})
        if not isinstance(auth, Mapping):
            message = f"auth of cloud {name!r} must be a mapping with auth_url, not {_shown(auth)}"
            yield UserError(message, where=self.where(*place, "auth"))
            return
        for key in auth:
            if key.replace("-", "_") in BESIDE_AUTH:
                yield UserError(f"{key} belongs beside auth, not in it", where=self.where(*place, "auth", key))
        yield from self._text_mistakes((*place, "auth"), auth)

    def _misshapen(
        self, settings: Mapping[str, Any], shapes: dict[str, tuple[type, str]], *place: str
    ) -> Iterator[UserError]:
        for key, (kind, wanted) in shapes.items():
            if (value := settings.get(key)) is not None and not isinstance(value, kind):
                yield UserError(f"{key} must be {wanted}, not {_shown(value)}", where=self.where(*place, key))

    def _text_mistakes(self, place: KeyPath, settings: Mapping[str, Any]) -> Iterator[UserError]:
        """Values that YAML does not take for the text that was written."""
        import yaml

        for key, value in settings.items():
            where, text = self.where(*place, key), written(self.document, (*place, key))
            if isinstance(value, Mapping) or (
                isinstance(value, Sequence)
                and not isinstance(value, str)
                and ("auth" in place or NO_LIST.fullmatch(key.replace("-", "_")))
            ):
                yield UserError(f"{key} must be text, not {_shown(value)}", where=where)
            elif value is None:
                if "auth" in place and REQUIRED.fullmatch(key):
                    yield UserError(f"{key} has no value", where=where, hint="fill it in, or remove the line")
            elif isinstance(value, str) and (
                unfilled := (placeholder_in if key.endswith("url") else placeholder)(value)
            ):
                yield UserError(f"{key}: the placeholder {unfilled} has not been filled in", where=where)
            elif text is not None:
                read = yaml.safe_load(text)
                if not isinstance(read, str) and (
                    isinstance(read, bool) or str(read) != text or not isinstance(read, int | float)
                ):
                    shown = "another value" if masking.SECRET_NAME.search(key) else repr(read)
                    yield UserError(f"YAML reads {key} as {shown}, not as text", where=where, hint="put it in quotes")


def find(paths: Sequence[str], section: str) -> CloudsFile:
    """The first of these files that openstacksdk can read.

    UserError when only openstacksdk can read it: of a cloud that is there twice, it would silently take the last.
    """
    import yaml

    problems: list[UserError] = []
    for path in map(Path, paths):
        if not os.path.exists(path):
            continue
        try:
            return CloudsFile(section, path, _read(path), problems)
        except UserError as error:
            problems.append(error)
        try:
            yaml.safe_load(files.read(path))
        except (OSError, ValueError, yaml.YAMLError):
            continue
        raise problems[-1]
    return CloudsFile(section, problems=problems)


def _read(path: Path) -> Any:
    try:
        content = files.read(path)
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", where=str(path)) from None
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):  # YAML, but openstacksdk skips it
        raise UserError("not valid UTF-8: it is UTF-16", where=str(path), hint="save the file as UTF-8")
    if path.suffix != ".json":
        return load(content, str(path), PYYAML)
    try:
        return json.loads(content)
    except json.JSONDecodeError as error:
        raise UserError(f"not valid JSON: {error.msg}", where=f"{path}:{error.lineno}") from None
    except ValueError as error:
        raise UserError(f"not valid JSON: {error}", where=str(path)) from None


class Clouds:
    """The clouds that are defined in clouds.yaml, with what secure.yaml and clouds-public.yaml add, and by OS_* variables."""

    def __init__(self) -> None:
        load_config()  # so that the next line does not import all of openstacksdk
        from openstack.config import loader

        self._override = os.environ.get("OS_CLIENT_CONFIG_FILE")
        self._searched = [*filter(None, [self._override]), *loader.CONFIG_FILES]
        self.clouds = find(self._searched, "clouds")
        self.secure = find([*filter(None, [os.environ.get("OS_CLIENT_SECURE_FILE")]), *loader.SECURE_FILES], "clouds")
        self.profiles = find(loader.VENDOR_FILES, PROFILES)
        self.from_variables = False

    def region(self, requested: str | None) -> CloudRegion:
        """The cloud of that name (None: the one that OS_CLOUD or the OS_* variables select). Raises UserError."""
        if self.clouds.problems and self._override and Path(self._override).exists():
            raise self.clouds.problems[0]  # of the file that the user has named; openstacksdk would take another one
        known = self.clouds.names()
        self.secure.names()
        try:
            config = load_config()(app_name="zerojhub")
            names = [name for name in config.get_cloud_names() if name != "defaults"]
        except Exception as error:  # openstacksdk raises whatever it runs into: TypeError, AttributeError, KeyError, …
            raise UserError(one_line(str(error)), where=str(self.clouds.path or "clouds.yaml")) from error
        name = requested or config.default_cloud
        if not name or name not in names:
            raise self._unknown(requested, None if name == "defaults" else name, known)
        self.from_variables = name == config.envvar_key
        for file in (self.clouds, self.secure):
            for mistake in file.mistakes(name):
                raise mistake
        profile = self.profile_of(name)
        # As with the `openstack` client, a file need not have the secret or the region.
        variables: dict[str, Any] = (
            {} if self.from_variables else {key: os.environ.get(f"OS_{key.upper()}") for key in FROM_VARIABLES}
        )
        try:
            region = config.get_one(cloud=name, **variables)
            masking.remember_in(region.config.get("auth"))
            region.get_session()
        except Exception as error:  # as above
            raise self._failure(error, name, profile) from error
        self._check_files(region, name)
        self._check_url(region, name)
        if region.config.get("auth_type") in ("password", "v3password") and not region.config["auth"].get("password"):
            if self.secure.problems:
                raise self.secure.problems[0]
            hint = "write it into the entry or into secure.yaml, or set OS_PASSWORD"
            raise UserError(f"cloud {name!r} has no password", where=self.place_of(name, "auth"), hint=hint)
        return region

    def profile_of(self, name: str) -> str | None:
        """The profile of the entry; None if it has none. UserError when clouds-public.yaml has it, but with a mistake."""
        entry = self.clouds.entry(name)
        profile: str | None = entry.get("profile", entry.get("cloud"))
        for mistake in self.profiles.mistakes(profile) if isinstance(profile, str) else ():
            raise mistake
        return profile

    def place_of(self, name: str, *keys: str) -> str:
        """Where the cloud is defined: file:line, or the names of variables."""
        if not self.from_variables:
            return self.clouds.where("clouds", name, *keys)
        return ", ".join(sorted(key for key in os.environ if key.startswith("OS_")))

    def _unknown(self, requested: str | None, name: str | None, known: list[str]) -> UserError:
        listed = f"known: {', '.join(sorted(known))}" if known else "none is defined"
        if self.clouds.problems:
            return self.clouds.problems[0]
        if not name:
            hint = "select one with --cloud, in the deployment file or in OS_CLOUD"
            return UserError(
                f"no cloud is selected ({listed})", where=str(self.clouds.path or "clouds.yaml"), hint=hint
            )
        places = " or ".join(self._searched[:2])
        source = "" if requested else ", which OS_CLOUD selects"
        hint = f"add it to {places}, or set OS_CLIENT_CONFIG_FILE to the file that has it"
        if self._override and not Path(self._override).exists():
            hint = f"OS_CLIENT_CONFIG_FILE is {self._override}, which does not exist"
        return UserError(f"no cloud named {name!r} in clouds.yaml ({listed}){source}", hint=hint)

    def _failure(self, error: Exception, name: str, profile: str | None) -> UserError:
        """What openstacksdk has raised for the entry, as the user's mistake."""
        from keystoneauth1 import loading
        from openstack.config import vendors

        from zerojhub.openstack.keystone_errors import ksa

        if isinstance(error, ksa.NoMatchingPlugin):
            meant = nearest(error.name, loading.get_available_plugin_names())
            hint = f"did you mean {meant}?" if meant else "such as password, v3applicationcredential or v3token"
            return UserError(f"unknown auth_type {error.name!r}", where=self.place_of(name, "auth_type"), hint=hint)
        if isinstance(error, ksa.MissingRequiredOptions):
            if problems := self.secure.problems + self.profiles.problems:
                return problems[0]
            if profile and profile not in self.profiles.names() and vendors.get_profile(profile) is None:
                hint = "define it in clouds-public.yaml, or write its auth_url into the entry"
                return UserError(f"unknown profile {profile!r}", where=self.place_of(name, "profile"), hint=hint)
            missing = [option.dest for option in error.options]
            variables = " and ".join(f"OS_{option.upper()}" for option in missing)
            advice = f"set {variables}, or select a cloud of clouds.yaml with OS_CLOUD" if self.from_variables else None
            message = f"cloud {name!r} has no {' and no '.join(missing)}"
            return UserError(message, where=self.place_of(name, "auth"), hint=advice)
        if unexpected := re.search(r"unexpected keyword argument '(\w+)'", str(error)):
            return self._unknown_key(unexpected[1], name)
        if profile and isinstance(error, OSError):
            hint = "define it in clouds-public.yaml, or write its auth_url into the entry"
            message = f"profile {profile!r} cannot be fetched: nothing answers at its address"
            return UserError(message, where=self.place_of(name, "profile"), hint=hint)
        message = f"cloud {name!r} cannot be used: {masking.mask(one_line(str(error)))}"
        hint = "openstacksdk says so; check the entry's settings"
        return UserError(message, where=self.place_of(name), hint=hint)

    def _unknown_key(self, key: str, name: str) -> UserError:
        """For a key that the cloud's auth_type does not have."""
        from keystoneauth1 import loading

        where = self.place_of(name, "auth", key)
        if key.startswith("application_credential"):
            hint = "set OS_AUTH_TYPE" if self.from_variables else "add it beside auth"
            return UserError("application credentials need auth_type: v3applicationcredential", where=where, hint=hint)
        given = os.environ.get("OS_AUTH_TYPE") if self.from_variables else self.clouds.entry(name).get("auth_type")
        kind = str(given or "password")
        meant = nearest(key, (option.dest for option in loading.get_plugin_options(kind)))
        hint = f"did you mean {meant}?" if meant else f"auth_type {kind} has none; remove it"
        return UserError(f"unknown key {key!r} in auth of cloud {name!r}", where=where, hint=hint)

    def _check_files(self, region: CloudRegion, name: str) -> None:
        """UserError for certificates and keys that cannot be read."""
        for key in (*FILES, "verify"):
            value = region.config.get(key)
            path = os.path.expanduser(value) if isinstance(value, str) and value else None
            if path is None or os.access(path, os.R_OK):
                continue
            where = f"OS_{key.upper()}" if self.from_variables else self.place_of(name, key)
            hint = "true or false without quotes, or the path of a file with certificates" if key == "verify" else None
            reason = "cannot be read" if os.path.exists(path) else "no such file"
            raise UserError(f"{key}: {reason}: {path}", where=where, hint=hint)

    def _check_url(self, region: CloudRegion, name: str) -> None:
        """UserError for an address of Keystone to which nothing can be sent."""
        url = str(region.config["auth"].get("auth_url") or "")
        try:
            parts = urlsplit(url)
            valid = (
                parts.scheme in ("http", "https") and parts.hostname and parts.port != 0 and not re.search(r"\s", url)
            )
        except ValueError:  # of the host or the port
            valid = False
        if url and not valid:
            where = "OS_AUTH_URL" if self.from_variables else self.place_of(name, "auth", "auth_url")
            hint = "such as https://keystone.example.org:5000/v3"
            raise UserError(f"auth_url is not a valid http or https URL: {masking.mask(url)}", where=where, hint=hint)


def _shown(value: object) -> str:
    match value:
        case None:
            return "empty"
        case Mapping():
            return "a mapping"
        case str():
            return "text"
        case list():
            return "a list"
    return "a number or a truth value"
