"""Profiles: the behavior of a specific cloud as data, which the practice cloud reads from a file.

The built-in profiles are in profiles/. `zerojhub practice record` writes others.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, StrictBool, ValidationError, field_validator
from pydantic_core import PydanticCustomError

from zerojhub import text, yamlfile
from zerojhub.errors import Problems, UserError
from zerojhub.practice.cloud import services

FOLDER = Path(__file__).with_name("profiles")
DEFAULT = "both"
KUBERNETES = "{kubernetes}"
"""Placeholder, in images, templates and labels, for a Kubernetes version that runs on the practice machine."""
UNLIMITED = -1


class Section(BaseModel):
    """A mapping in the file. The docstring of each key is its description in the reference."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True, use_attribute_docstrings=True)


class Microversions(Section):
    """The range of microversions that a service supports."""

    oldest: str = Field(pattern=r"^\d+\.\d+$")
    """Oldest microversion, as in `"1.1"`."""
    newest: str = Field(pattern=r"^\d+\.\d+$")
    """Newest microversion. Later features are unavailable: a Magnum up to 1.8 has no node groups."""
    service: str | None = None
    """Name of the service in its response headers. Default: the name that current versions use."""

    def bounds(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """The oldest and the newest microversion as numbers."""
        (one, two), (three, four) = (version.split(".") for version in (self.oldest, self.newest))
        return (int(one), int(two)), (int(three), int(four))


class ServiceSpec(Section):
    """A service in the service catalog."""

    type: str
    """Type in the catalog. Must be a service that the practice cloud has."""
    name: str
    """Name in the catalog."""
    path: str = ""
    """Path of the endpoint below the service's root, such as `/v1` or `/v3/{project}`. Default: none."""
    microversions: Microversions | None = None
    """Supported microversions, for `container-infra`, `compute` and `volumev3`."""

    @field_validator("type")
    @classmethod
    def _is_served(cls, kind: str) -> str:
        if kind not in services.roots():
            known = ", ".join(services.roots())
            raise PydanticCustomError("service", "the practice cloud has {known}", {"known": known})
        return kind


class FlavorSpec(Section):
    """A flavor."""

    name: str
    """Name of the flavor."""
    vcpus: int = Field(ge=1)
    """Number of virtual CPUs."""
    ram: int = Field(ge=1)
    """Memory in MB."""
    disk: int = Field(ge=0)
    """Disk size in GB."""


class ImageSpec(Section):
    """A public image."""

    name: str
    """Name. With `{kubernetes}` in it, one entry for each Kubernetes version that runs on the practice machine."""
    os_distro: str | None = None
    """Property by which Magnum selects a driver."""
    login: str | None = None
    """Property `os_admin_user`: the user to log in as."""
    kube_version: str | None = None
    """Property of images that include Kubernetes: its version."""

    def properties(self) -> dict[str, str]:
        """Name and properties, as in Glance."""
        named = {"name": self.name, "os_distro": self.os_distro, "os_admin_user": self.login}
        return {key: value for key, value in (named | {"kube_version": self.kube_version}).items() if value is not None}


class VolumeTypeSpec(Section):
    """A volume type. The first one is the default."""

    name: str
    """Name of the volume type."""
    description: str | None = None
    """Description."""


class ProviderSpec(Section):
    """A load balancer provider. The first one is the default."""

    name: str
    """Name of the provider."""
    description: str = ""
    """Description."""


class DriverSpec(Section):
    """A Magnum driver."""

    name: str
    """Name of the driver, which current Magnum versions show in templates."""
    kind: Literal["heat", "cluster-api"]
    """`heat`: clusters are stacks, with SSH access to masters. `cluster-api`: access through the Kubernetes API only."""
    os_distros: list[str]
    """Values of `os_distro` for which Magnum selects this driver."""
    rotates: list[Literal["ca", "credentials"]] = []
    """What the driver can rotate: the cluster's certificate authority, the cluster's credential."""


class TemplateSpec(Section):
    """A public cluster template: the options of Magnum's API, under the same names without `_id`."""

    name: str = Field(min_length=1, max_length=255)
    """Name. With `{kubernetes}` in it, one template for each Kubernetes version that runs on the practice machine."""
    coe: Literal["kubernetes"] = "kubernetes"
    """Container orchestration engine."""
    image: str
    """Image of the servers, one of `images`."""
    external_network: str
    """Network that provides floating IPs: `public`."""
    keypair: str | None = None
    """Keypair of clusters that specify none."""
    flavor: str | None = None
    """Flavor of the workers."""
    master_flavor: str | None = None
    """Flavor of the masters."""
    fixed_network: str | None = None
    """Existing network for all clusters. Default: a new one for each cluster."""
    fixed_subnet: str | None = None
    """Existing subnet of that network."""
    network_driver: str | None = None
    """Pod network, such as `flannel`, `calico` or `cilium`."""
    volume_driver: str | None = "cinder"
    """Volume driver. Volumes need `cinder`."""
    dns_nameserver: str | None = None
    """DNS servers, comma-separated."""
    http_proxy: str | None = None
    """URL of the HTTP proxy of clusters."""
    https_proxy: str | None = None
    """URL of the HTTPS proxy of clusters."""
    no_proxy: str | None = None
    """Addresses to reach without a proxy, comma-separated."""
    docker_volume_size: int | None = Field(None, ge=1)
    """Size of the volume for container images on each server, in GB."""
    docker_storage_driver: str | None = None
    """Storage driver of the container runtime, such as `overlay2`."""
    server_type: Literal["vm", "bm"] = "vm"
    """Virtual machines (`vm`) or bare metal (`bm`)."""
    labels: dict[str, str | int | bool | float] = {}
    """Options of the driver, such as `kube_tag`."""
    tls_disabled: StrictBool = False
    """Run the API server without TLS."""
    registry_enabled: StrictBool = False
    """Run an image registry in clusters."""
    master_lb_enabled: StrictBool = False
    """Create a load balancer in front of the masters."""
    floating_ip_enabled: StrictBool = False
    """Assign a floating IP to each server."""
    public: StrictBool = False
    """Ignored: all templates of a profile are public."""
    hidden: StrictBool = False
    """Hide the template from lists."""
    insecure_registry: str | None = None
    """URL of an image registry without TLS."""
    tags: str | None = None
    """Tags, comma-separated."""

    def attributes(self) -> dict[str, Any]:
        """The template by the names of Magnum's API reference, public, without what is not set."""
        with_id = {
            "image_id": self.image,
            "external_network_id": self.external_network,
            "keypair_id": self.keypair,
            "flavor_id": self.flavor,
            "master_flavor_id": self.master_flavor,
        }
        renamed = {name.removesuffix("_id") for name in with_id}
        same = self.model_dump(exclude=renamed)
        labels = {key: str(value) for key, value in self.labels.items()}
        given = {**same, **with_id, "labels": labels, "public": True}
        return {name: value for name, value in given.items() if value is not None}


class Lacks(Section):
    """Attributes that an older Magnum does not have. They are neither shown nor accepted."""

    cluster: list[str] = []
    """Missing attributes of clusters."""
    template: list[str] = []
    """Missing attributes of cluster templates."""
    certificate: list[str] = []
    """Missing attributes of certificates."""


class ComputeQuota(Section):
    """Nova quotas of the project."""

    instances: int = UNLIMITED
    cores: int = UNLIMITED
    ram: int = UNLIMITED
    key_pairs: int = UNLIMITED
    metadata_items: int = UNLIMITED
    server_groups: int = UNLIMITED
    server_group_members: int = UNLIMITED


class NetworkQuota(Section):
    """Neutron quotas of the project."""

    network: int = UNLIMITED
    subnet: int = UNLIMITED
    port: int = UNLIMITED
    router: int = UNLIMITED
    floatingip: int = UNLIMITED
    security_group: int = UNLIMITED
    security_group_rule: int = UNLIMITED
    subnetpool: int = UNLIMITED
    rbac_policy: int = UNLIMITED


class VolumeQuota(Section):
    """Cinder quotas of the project."""

    volumes: int = UNLIMITED
    gigabytes: int = UNLIMITED
    snapshots: int = UNLIMITED
    backups: int = UNLIMITED
    backup_gigabytes: int = UNLIMITED
    groups: int = UNLIMITED
    per_volume_gigabytes: int = UNLIMITED


class LoadBalancerQuota(Section):
    """Octavia quotas of the project."""

    load_balancer: int = UNLIMITED
    listener: int = UNLIMITED
    pool: int = UNLIMITED
    member: int = UNLIMITED
    health_monitor: int = UNLIMITED
    l7policy: int = UNLIMITED
    l7rule: int = UNLIMITED


class DnsQuota(Section):
    """Designate quotas of the project."""

    zones: int = 10
    zone_recordsets: int = 500
    zone_records: int = 500
    recordset_records: int = 20
    api_export_size: int = 1000


class MagnumQuota(Section):
    """Magnum quota of the project."""

    clusters: int = Field(default=20, alias="Cluster")


class Quotas(Section):
    """Quotas of the project by service. -1 means unlimited."""

    compute: ComputeQuota = ComputeQuota()
    network: NetworkQuota = NetworkQuota()
    volume: VolumeQuota = VolumeQuota()
    load_balancer: LoadBalancerQuota = Field(default=LoadBalancerQuota(), alias="load-balancer")
    dns: DnsQuota = DnsQuota()
    container_infra: MagnumQuota = Field(default=MagnumQuota(), alias="container-infra")


class Answer(Section):
    """A recorded response."""

    ask: str
    """Method and path, as on the practice cloud, and the requested microversion, if any."""
    status: int
    """HTTP status."""
    headers: dict[str, str] = {}
    """Headers set by the service."""
    body: Any = None
    """JSON or text."""


class Profile(Section):
    """The behavior of one cloud."""

    description: str
    """One-line description of the cloud."""
    services: list[ServiceSpec] = Field(min_length=1)
    """Service catalog."""
    drivers: list[DriverSpec] = Field(min_length=1)
    """Magnum drivers."""
    lacks: Lacks = Lacks()
    """What this version of Magnum lacks."""
    templates: list[TemplateSpec] = []
    """Public cluster templates. The external network is always `public`."""
    flavors: list[FlavorSpec] = Field(min_length=1)
    """Flavors, smallest first."""
    images: list[ImageSpec] = Field(min_length=1)
    """Public images."""
    volume_types: list[VolumeTypeSpec] = Field(min_length=1)
    """Cinder volume types."""
    load_balancer_providers: Annotated[list[ProviderSpec], Field(min_length=1)] = [ProviderSpec(name="amphora")]
    """Octavia providers."""
    availability_zones: Annotated[list[str], Field(min_length=1)] = ["nova"]
    """Availability zones of Nova, Neutron and Cinder. Servers and volumes are in the first one."""
    quotas: Quotas = Quotas()
    """Quotas of the project."""
    answers: dict[str, Answer] = {}
    """Recorded responses by name of the request. The practice cloud does not read them."""

    def service(self, kind: str) -> ServiceSpec | None:
        """The service with this type, or with another type of the same service."""
        return next((each for each in self.services if services.roots()[each.type] == services.roots()[kind]), None)

    def microversions(self, kind: str) -> tuple[tuple[int, int], tuple[int, int]]:
        """The oldest and newest microversion of a service; (0, 0) if it has none."""
        service = self.service(kind)
        return service.microversions.bounds() if service and service.microversions else ((0, 0), (0, 0))


def names() -> list[str]:
    """Names of the built-in profiles, the default first."""
    return sorted((path.stem for path in FOLDER.glob("*.yaml")), key=lambda name: (name != DEFAULT, name))


def find(wanted: str) -> Path:
    """The file of a built-in profile, or the given file. UserError if neither exists."""
    path = FOLDER / f"{wanted}.yaml"
    if wanted in names():
        return path
    own = Path(wanted).expanduser().absolute()
    if own.is_file():
        return own
    meant = text.nearest(wanted, names())
    hint = f"did you mean {meant!r}?" if meant else f"profiles: {', '.join(names())}"
    raise UserError(f"no practice profile and no file named {wanted!r}", hint=hint)


def resolve(wanted: str) -> str:
    """The profile's name, or the path of its file. UserError if it does not exist, Problems if it is invalid."""
    load(wanted)
    return wanted if wanted in names() else str(find(wanted))


def load(wanted: str | Path = DEFAULT) -> Profile:
    """Read a profile by name or file. Raises Problems with `file:line: what` for each mistake."""
    path = find(str(wanted))
    document = yamlfile.read_yaml(path)
    if not isinstance(document, dict):
        raise UserError("a profile must be a mapping (services, drivers, templates, …)", where=f"{path}:1")
    profile = validated(path, document)
    check(profile, path, document)
    return profile


def validated(path: Path, document: Any) -> Profile:
    """Validate a profile. Raises Problems with `file:line: what` for each mistake."""
    try:
        return Profile.model_validate(yamlfile.plain(document))
    except ValidationError as error:
        raise Problems([_mistake(path, document, each) for each in error.errors()]) from None


def _mistake(path: Path, document: Any, error: Any) -> UserError:
    """A validation error of pydantic with file and line."""
    place = error["loc"]
    where, name = f"{path}:{yamlfile.line_of(document, place)}", ".".join(map(str, place))
    if error["type"] == "extra_forbidden":
        known = _keys_at(place[:-1])
        meant = text.nearest(place[-1], known)
        hint = f"did you mean {meant!r}?" if meant else f"known here: {', '.join(known)}"
        return UserError(f"unknown key {name!r}", where=where, hint=hint)
    if error["type"] == "missing":
        return UserError(f"{name!r} is missing", where=where)
    message = text.requirement(error["type"], error.get("ctx", {}), error["msg"])
    return UserError(f"{name}: {message}, not {text.shown(error['input'])}", where=where)


def _keys_at(place: tuple[Any, ...]) -> list[str]:
    """The keys of the section that `place` leads to."""
    model: type[Section] = Profile
    for step in place:
        field = next((each for name, each in model.model_fields.items() if step in (name, each.alias)), None)
        model = (section_of(field.annotation) if field else None) or model
    return [field.alias or name for name, field in model.model_fields.items()]


def section_of(kind: Any) -> type[Section] | None:
    """The section that a field's type is, or contains in a list or a union."""
    if isinstance(kind, type) and issubclass(kind, Section):
        return kind
    return next((found for inner in get_args(kind) if (found := section_of(inner))), None)


def check(profile: Profile, path: Path, document: Any) -> None:
    """Check references within a profile. Raises Problems with the line of each unknown one."""

    def at(*place: str | int) -> str:
        return f"{path}:{yamlfile.line_of(document, place)}"

    images = {image.name for image in profile.images}
    flavors = {flavor.name for flavor in profile.flavors}
    found = []
    for number, template in enumerate(profile.templates):
        for key, known in (("image", images), ("flavor", flavors), ("master_flavor", flavors)):
            value = getattr(template, key)
            if value is not None and value not in known:
                what = f"template {template.name}: no {key.split('_')[-1]} {value!r}"
                found.append(UserError(what, where=at("templates", number, key)))
    booted = {template.image for template in profile.templates}
    distros = {name for driver in profile.drivers for name in driver.os_distros}
    for number, image in enumerate(profile.images):
        if image.name in booted and image.os_distro not in distros:
            what = f"image {image.name}: no driver supports os_distro {image.os_distro!r}"
            found.append(UserError(what, where=at("images", number, "os_distro")))
    for kind in ("identity", "container-infra", "compute", "network", "image"):
        service = profile.service(kind)
        if service is None or (kind in ("container-infra", "compute") and service.microversions is None):
            what = "is missing" if service is None else "needs its microversions"
            found.append(UserError(f"services: {kind} {what}", where=at("services")))
    if found:
        raise Problems(found)
