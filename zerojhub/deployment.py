"""The deployment file (hub.yaml): what a person asks for, checked whole, each mistake with its file and line."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, StrictBool, ValidationError

from zerojhub.errors import Problems, UserError

Name = Annotated[str, Field(pattern=r"^[a-zA-Z][a-zA-Z0-9_.-]*$", max_length=242)]
"""What Magnum takes as the name of a cluster or template."""
Labels = dict[str, str | int | bool | float]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class TemplateSpec(Section):
    """A cluster template to be made: the options of Magnum's API, by its names without `_id`."""

    name: Name | None = None
    coe: Literal["kubernetes", "swarm", "swarm-mode", "mesos"] = "kubernetes"
    image: str
    external_network: str
    keypair: str | None = None
    flavor: str | None = None
    master_flavor: str | None = None
    fixed_network: str | None = None
    fixed_subnet: str | None = None
    network_driver: str | None = None
    volume_driver: str | None = "cinder"
    dns_nameserver: str | None = None
    http_proxy: str | None = None
    https_proxy: str | None = None
    no_proxy: str | None = None
    docker_volume_size: int | None = Field(None, ge=1)
    docker_storage_driver: str | None = None
    server_type: Literal["vm", "bm"] = "vm"
    labels: Labels = {}
    tls_disabled: StrictBool = False
    registry_enabled: StrictBool = False
    master_lb_enabled: StrictBool = False
    floating_ip_enabled: StrictBool = False
    public: StrictBool = False
    hidden: StrictBool = False
    insecure_registry: str | None = None
    tags: str | None = None


class ClusterSpec(Section):
    """The cluster: made from a template (its name, its UUID, or a mapping), or adopted when one of the name is there."""

    name: Name | None = None
    template: str | TemplateSpec
    workers: int = Field(1, ge=0)
    masters: int = Field(1, ge=1)
    flavor: str | None = None
    master_flavor: str | None = None
    docker_volume_size: int | None = Field(None, ge=1)
    labels: Labels = {}
    keypair: str | None = None
    fixed_network: str | None = None
    fixed_subnet: str | None = None
    floating_ip_enabled: StrictBool | None = None
    timeout: int = Field(60, ge=1, description="Minutes until Magnum gives up on the creation.")


class AccessSpec(Section):
    """How the cluster is reached."""

    road: Literal["auto", "ssh", "api"] = "auto"
    user: str | None = None
    private_key: Path | None = None
    floating_ip: str | None = Field(None, description="An address of the project to use, in place of a new one.")


class HelmSpec(Section):
    version: str | None = Field(None, pattern=r"^3\.\d+\.\d+$")
    sha256: str | None = Field(None, pattern=r"^[0-9a-f]{64}$")


class StorageSpec(Section):
    class_name: str = Field("cinder", alias="class", pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$")
    type: str | None = Field(None, description="A Cinder volume type.")


class HubSpec(Section):
    """The hub: which chart, with which values, where people find it."""

    values: Path | None = None
    chart: str = "embedded"
    version: str | None = None
    namespace: str | None = Field(None, pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")
    host: str | None = None
    https: StrictBool = False
    expose: Literal["LoadBalancer", "NodePort"] = "LoadBalancer"
    open_to_anyone: StrictBool = False


class Deployment(Section):
    """One hub on one cluster in one cloud."""

    name: Name
    cloud: str | None = None
    cluster: ClusterSpec
    access: AccessSpec = AccessSpec()
    helm: HelmSpec = HelmSpec()
    storage: StorageSpec = StorageSpec()
    hub: HubSpec = HubSpec()

    _path: Path = PrivateAttr(Path("hub.yaml"))

    @property
    def path(self) -> Path:
        """The deployment file."""
        return self._path

    @property
    def directory(self) -> Path:
        """The folder of the deployment file, which relative paths in it start from."""
        return self._path.parent


def load(path: Path) -> Deployment:
    """Read a deployment file. Problems (exit 2) with `file:line: what` for each mistake in it."""
    document = read_yaml(path, missing_hint="write one, or name it with -f")
    if not isinstance(document, dict):
        raise UserError("a deployment file is a mapping with name, cloud, cluster and hub", where=f"{path}:1")
    try:
        deployment = Deployment.model_validate(plain(document))
    except ValidationError as error:
        raise Problems(_mistakes(path, document, error)) from None
    deployment._path = path.absolute()
    if deployment.hub.namespace is None:
        deployment.hub.namespace = deployment.name.lower().replace("_", "-").replace(".", "-")[:63].rstrip("-")
    if deployment.cluster.name is None:
        deployment.cluster.name = deployment.name
    if deployment.hub.values:
        deployment.hub.values = deployment.directory / deployment.hub.values.expanduser()
    if deployment.access.private_key:
        deployment.access.private_key = deployment.directory / deployment.access.private_key.expanduser()
    return deployment


def template_spec(source: Path | None, given: dict[str, Any]) -> TemplateSpec:
    """A template from options, over those of a YAML file. Problems (exit 2) with `file:line` or the option's name."""
    document = read_yaml(source) if source else {}
    if not isinstance(document, dict):
        raise UserError("a template file is a mapping of options", where=f"{source}:1")
    try:
        return TemplateSpec.model_validate(plain(document) | given)
    except ValidationError as error:
        raise Problems([_mistake(source, document, each, TemplateSpec) for each in error.errors()]) from None


def read_yaml(path: Path, *, missing_hint: str | None = None) -> Any:
    """A YAML file with the position of every key kept (ruamel round trip). UserError with file:line."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError

    try:
        with path.open(encoding="utf-8") as file:
            return YAML(typ="rt").load(file)
    except FileNotFoundError:
        raise UserError("no such file", where=str(path), hint=missing_hint) from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot be read: {error}", where=str(path)) from None
    except MarkedYAMLError as error:
        line = (error.problem_mark or error.context_mark).line + 1
        problem = " ".join(f"{error.context or ''} {error.problem or ''}".split())
        raise UserError(f"not valid YAML: {problem}", where=f"{path}:{line}") from None


def plain(node: Any) -> Any:
    """ruamel's round-trip nodes as plain dicts, lists and scalars."""
    if isinstance(node, dict):
        return {key: plain(value) for key, value in node.items()}
    if isinstance(node, list):
        return [plain(value) for value in node]
    for kind in (bool, int, float, str):
        if isinstance(node, kind):
            return kind(node)
    return node


def line_of(document: Any, place: tuple) -> int:
    """The line (from 1) of the key that `place` leads to, or of its nearest ancestor that is there."""
    line, node = 1, document
    for step in place:
        try:
            if isinstance(node, dict):
                line = node.lc.key(step)[0] + 1
            elif isinstance(node, list):
                line = node.lc.item(step)[0] + 1
            node = node[step]
        except (KeyError, IndexError, TypeError, AttributeError):
            break
    return line


def nearest(word: str, known: list[str]) -> str | None:
    """The known word that was probably meant."""
    close = difflib.get_close_matches(str(word), known, n=1, cutoff=0.6)
    return close[0] if close else None


def _mistakes(path: Path, document: Any, error: ValidationError) -> list[UserError]:
    """One line for each place, though pydantic reports every branch of a union there."""
    mistakes: dict[tuple, UserError] = {}
    unknown = [each["loc"] for each in error.errors() if each["type"] == "extra_forbidden"]
    misspelt = {(*place[:-1], nearest(place[-1], _keys_at(place[:-1], Deployment))) for place in unknown}
    for each in error.errors():
        if each["type"] == "missing" and each["loc"] in misspelt:
            continue  # said once, where it is misspelt
        branches = {step for step in each["loc"] if _is_branch(step)}
        if "TemplateSpec" in branches and each["type"] == "model_type":
            continue  # neither a name nor a mapping: said once, by the branch that wants a name
        if "str" in branches and isinstance(each["input"], dict):
            continue  # a mapping is meant as a TemplateSpec, whose own mistakes are listed
        mistake = _mistake(path, document, each)
        mistakes.setdefault(tuple(step for step in each["loc"] if not _is_branch(step)), mistake)
    return list(mistakes.values())


def _mistake(path: Path | None, document: Any, error: dict, model: type[Section] | None = None) -> UserError:
    """One of pydantic's errors as a line that a person can act on."""
    place = tuple(step for step in error["loc"] if not _is_branch(step))
    where = f"{path}:{line_of(document, place)}" if path else None
    name = ".".join(str(step) for step in place)
    if error["type"] == "extra_forbidden":
        known = _keys_at(place[:-1], model or Deployment)
        meant = nearest(place[-1], known)
        hint = f"did you mean {meant!r}?" if meant else f"known here: {', '.join(known)}"
        return UserError(f"unknown key {name!r}", where=where, hint=hint)
    if error["type"] == "missing":
        return UserError(f"{name!r} is missing", where=where)
    message = error["msg"][0].lower() + error["msg"][1:]
    return UserError(f"{name}: {message}, not {error['input']!r}", where=where)


def _is_branch(step: Any) -> bool:
    """Pydantic names the branch of a union in its place: `str`, `TemplateSpec`."""
    return step in ("str", "int", "bool", "float", "TemplateSpec")


def _keys_at(place: tuple, model: type[Section]) -> list[str]:
    """The keys known in the section of `model` that `place` leads to."""
    sections = {"cluster": ClusterSpec, "access": AccessSpec, "helm": HelmSpec, "storage": StorageSpec, "hub": HubSpec}
    for step in place:
        model = TemplateSpec if step == "template" else sections.get(step, model)
    return [field.alias or name for name, field in model.model_fields.items()]
