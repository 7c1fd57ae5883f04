"""The deployment file (hub.yaml): what a person asks for, checked whole, each mistake with its file and line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    StrictBool,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError

from zerojhub.errors import Problems, UserError
from zerojhub.text import nearest
from zerojhub.yamlfile import KeyPath, line_of, plain, read_yaml

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

Name = Annotated[str, Field(pattern=r"^[a-zA-Z][a-zA-Z0-9_.-]*$", max_length=242)]
"""What Magnum takes as the name of a cluster or template."""
Labels = dict[str, str | int | bool | float]


class Section(BaseModel):
    """A mapping of the file. The text under each key is its page in the reference (docs/_ext/reference.py)."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True, use_attribute_docstrings=True)


Model = TypeVar("Model", bound=Section)


class TemplateSpec(Section):
    """A cluster template to be made: the options of Magnum's API, by its names without `_id`."""

    name: Name | None = None
    """Left out: `zerojhub-NAME`, after the deployment."""
    coe: Literal["kubernetes", "swarm", "swarm-mode", "mesos"] = "kubernetes"
    """The container orchestration engine; a hub needs `kubernetes`."""
    image: str
    """The servers' image, with the property `os_distro` that the driver asks for."""
    external_network: str
    """The network that floating IPs come from."""
    keypair: str | None = None
    """A keypair for clusters that name none; clusters made for a hub always do."""
    flavor: str | None = None
    """The workers' flavor."""
    master_flavor: str | None = None
    """The masters' flavor."""
    fixed_network: str | None = None
    """A network that is there, in place of one that is made for each cluster."""
    fixed_subnet: str | None = None
    """A subnet of it."""
    network_driver: str | None = None
    """How pods reach each other: `flannel`, `calico`, `cilium`; which there are is the driver's matter."""
    volume_driver: str | None = "cinder"
    """Without `cinder` there are no volumes for the hub and its users."""
    dns_nameserver: str | None = None
    """The servers' name servers, comma-separated."""
    http_proxy: str | None = None
    """The way out for clusters without one of their own."""
    https_proxy: str | None = None
    """The same for HTTPS."""
    no_proxy: str | None = None
    """Addresses that are reached without it, comma-separated."""
    docker_volume_size: int | None = Field(None, ge=1)
    """GB of a volume for container images on each server."""
    docker_storage_driver: str | None = None
    """How the container runtime keeps images, such as `overlay2`."""
    server_type: Literal["vm", "bm"] = "vm"
    """Virtual machines or bare metal."""
    labels: Labels = {}
    """What the driver reads, such as `kube_tag`; values may be words, numbers, true or false."""
    tls_disabled: StrictBool = False
    """An API server without TLS; nobody should."""
    registry_enabled: StrictBool = False
    """A registry of images in the cluster."""
    master_lb_enabled: StrictBool = False
    """A load balancer before the masters; several masters need one."""
    floating_ip_enabled: StrictBool = False
    """A floating IP for each server."""
    public: StrictBool = False
    """Everyone's in the cloud; for administrators."""
    hidden: StrictBool = False
    """Left out of lists."""
    insecure_registry: str | None = None
    """A registry that is spoken to without TLS."""
    tags: str | None = None
    """Words of your own, comma-separated."""


class ClusterSpec(Section):
    """The cluster: made from a template, or adopted when one of its name is there."""

    name: Name | None = None
    """The cluster's name; the deployment's, when left out. One that is there is adopted as it is."""
    template: str | TemplateSpec
    """A cluster template's name or UUID; or a mapping, and one is made (below)."""
    workers: int = Field(1, ge=0)
    """How many servers for the hub and its users."""
    masters: int = Field(1, ge=1)
    """How many servers for Kubernetes itself. Several need a template with `master_lb_enabled`."""
    flavor: str | None = None
    """The workers' flavor, in place of the template's."""
    master_flavor: str | None = None
    """The masters' flavor, in place of the template's."""
    docker_volume_size: int | None = Field(None, ge=1)
    """GB of a volume for container images on each server, in place of the template's."""
    labels: Labels = {}
    """Labels over the template's."""
    keypair: str | None = None
    """A keypair that is there; its private key is looked for in `~/.ssh` and the SSH agent. Left out: one is made."""
    fixed_network: str | None = None
    """A network that is there, in place of the template's."""
    fixed_subnet: str | None = None
    """A subnet of it."""
    floating_ip_enabled: StrictBool | None = None
    """A floating IP for each server, in place of what the template says."""
    timeout: int = Field(60, ge=1)
    """Minutes until Magnum gives up on the creation."""


class AccessSpec(Section):
    """How the cluster is reached."""

    road: Literal["auto", "ssh", "api"] = "auto"
    """`ssh`: to the master (Magnum's Heat drivers). `api`: the cluster's API alone (Cluster API drivers)."""
    user: str | None = None
    """Who logs in to the master: `core`, `fedora`, `ubuntu`. Left out: whom the image has."""
    private_key: Path | None = None
    """The private key of `cluster.keypair`, where it is not found by itself. From the file's folder, or absolute."""
    floating_ip: str | None = None
    """An address of the project for the master, in place of a new one."""


class HelmSpec(Section):
    """The Helm that installs the hub."""

    version: str | None = Field(None, pattern=r"^3\.\d+\.\d+$")
    """Which Helm 3 to put beside the cluster, where there is none. Left out: a known one."""
    sha256: str | None = Field(None, pattern=r"^[0-9a-f]{64}$")
    """The checksum of its archive; needed for a version that is not known."""


class StorageSpec(Section):
    """Volumes for the hub and its users."""

    class_name: str = Field("cinder", alias="class", pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$")
    """The storage class that is made the default, when the cluster has no default yet."""
    type: str | None = None
    """A Cinder volume type. Left out: the cloud's."""


class HubSpec(Section):
    """The hub: which chart, with which values, where people find it."""

    values: Path | None = None
    """A file of chart values (Zero to JupyterHub's keys), passed through untouched. From the file's folder, or absolute."""
    chart: str = "embedded"
    """`embedded`: the small chart that comes along. `z2jh`: Zero to JupyterHub. Or a folder, a `.tgz`, an address."""
    version: str | None = None
    """The chart's version. Left out: the newest that fits the cluster's Kubernetes."""
    namespace: str | None = Field(None, pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")
    """Where it is installed. Left out: the deployment's name, in lower case."""
    host: str | None = None
    """The name in the URL. It must lead to the hub in the DNS; the address is told when it does not."""
    https: StrictBool = False
    """Is the URL `https://`? Where the certificate is from is for `contact`, or `proxy.https` in the values, to say."""
    contact: str | None = Field(None, pattern=r"^[^@\s]+@[^@\s]+$")
    """An e-mail address: the hub gets its certificate from Let's Encrypt, which asks for one. With `host`, `https` and `chart: z2jh`."""
    expose: Literal["LoadBalancer", "NodePort"] = "LoadBalancer"
    """A load balancer of the cloud, or a port behind the master's floating IP."""
    open_to_anyone: StrictBool = False
    """A hub that lets anyone in is refused on a public address unless this is `true`."""

    @field_validator("contact")
    @classmethod
    def _has_what_a_certificate_needs(cls, contact: str | None, info: ValidationInfo) -> str | None:
        lacking = [key for key in ("host", "https") if not info.data.get(key)]
        if contact and lacking:
            raise PydanticCustomError("certificate", f"a certificate also needs {' and '.join(lacking)}")
        if contact and info.data.get("chart") == "embedded":
            raise PydanticCustomError("certificate", "the embedded chart cannot obtain certificates: set chart: z2jh")
        return contact


class AutoscaleSpec(Section):
    """Workers that come when pods wait for room, and go when nobody needs them. Left out: the cluster keeps its size."""

    min: int = Field(ge=0)
    """Fewest workers."""
    max: int = Field(ge=1)
    """Most workers."""

    @field_validator("max")
    @classmethod
    def _not_less_than_min(cls, most: int, info: ValidationInfo) -> int:
        if most < info.data.get("min", 0):
            raise PydanticCustomError("bounds", "must not be less than min")
        return most


class Deployment(Section):
    """One hub on one cluster in one cloud."""

    name: Name
    """The deployment's name; also the cluster's, and in lower case the namespace's."""
    cloud: str | None = None
    """An entry of `clouds.yaml`. Left out: `OS_CLOUD`, or the other `OS_…` variables."""
    cluster: ClusterSpec
    access: AccessSpec = AccessSpec()
    helm: HelmSpec = HelmSpec()
    storage: StorageSpec = StorageSpec()
    hub: HubSpec = HubSpec()
    autoscale: AutoscaleSpec | None = None

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
    """Read a deployment file and fill in what depends on other keys. Raises Problems with one `file:line` per mistake."""
    document = read_yaml(path, missing_hint="create one with `zerojhub init`, or name another with -f")
    if not isinstance(document, dict):
        raise UserError("a deployment file must be a mapping with name, cloud, cluster and hub", where=f"{path}:1")
    deployment = validated(Deployment, path, document)
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


def validated(model: type[Model], path: Path, document: Any) -> Model:
    """The document of a YAML file as the model. Raises Problems with one `file:line` per mistake."""
    try:
        return model.model_validate(plain(document))
    except ValidationError as error:
        raise Problems(_mistakes(path, document, error, model)) from None


def template_spec(source: Path | None, given: dict[str, Any]) -> TemplateSpec:
    """A template from a YAML file, with `given` taking precedence. Raises Problems with `file:line` or the option."""
    document = read_yaml(source) if source else {}
    if not isinstance(document, dict):
        raise UserError("a template file must be a mapping of options", where=f"{source}:1")
    try:
        return TemplateSpec.model_validate(plain(document) | given)
    except ValidationError as error:
        raise Problems([_mistake(source, document, each, TemplateSpec) for each in error.errors()]) from None


def _mistakes(path: Path, document: Any, error: ValidationError, model: type[Section]) -> list[UserError]:
    """One error per place, although pydantic reports each branch of a union."""
    mistakes: dict[KeyPath, UserError] = {}
    unknown = [each["loc"] for each in error.errors() if each["type"] == "extra_forbidden"]
    misspelt = {(*place[:-1], nearest(str(place[-1]), _keys_at(place[:-1], model))) for place in unknown}
    for each in error.errors():
        if each["type"] == "missing" and each["loc"] in misspelt:
            continue  # reported once, as the misspelt key
        branches = {step for step in each["loc"] if _is_branch(step)}
        if "TemplateSpec" in branches and each["type"] == "model_type":
            continue  # neither a name nor a mapping: reported once, by the branch that expects a name
        if "str" in branches and isinstance(each["input"], dict):
            continue  # a mapping is meant as a TemplateSpec, whose own mistakes are listed
        mistake = _mistake(path, document, each, model)
        mistakes.setdefault(tuple(step for step in each["loc"] if not _is_branch(step)), mistake)
    return list(mistakes.values())


def _mistake(path: Path | None, document: Any, error: ErrorDetails, model: type[Section]) -> UserError:
    """A pydantic error as one line with its place and, for an unknown key, the key that was probably meant."""
    place = tuple(step for step in error["loc"] if not _is_branch(step))
    where = f"{path}:{line_of(document, place)}" if path else None
    name = ".".join(str(step) for step in place)
    if error["type"] == "extra_forbidden":
        known = _keys_at(place[:-1], model)
        meant = nearest(str(place[-1]), known)
        hint = f"did you mean {meant!r}?" if meant else f"known keys: {', '.join(known)}"
        return UserError(f"unknown key {name!r}", where=where, hint=hint)
    if error["type"] == "missing":
        return UserError(f"missing key {name!r}", where=where)
    message = error["msg"][0].lower() + error["msg"][1:]
    return UserError(f"{name}: {message}, not {error['input']!r}", where=where)


def _is_branch(step: str | int) -> bool:
    """Pydantic includes the branch of a union in an error's location: `str`, `TemplateSpec`."""
    return step in ("str", "int", "bool", "float", "TemplateSpec")


def _keys_at(place: KeyPath, model: type[Section]) -> list[str]:
    """The keys of the section at `place` in `model`."""
    for step in place:
        field = next((each for name, each in model.model_fields.items() if step in (name, each.alias)), None)
        model = section_of(field.annotation) or model if field else model
    return [field.alias or name for name, field in model.model_fields.items()]


def section_of(annotation: Any) -> type[Section] | None:
    """The section in a field's annotation, be it a list or a union of it."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    return next((found for inner in get_args(annotation) if (found := section_of(inner))), None)
