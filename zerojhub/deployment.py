"""The deployment file (hub.yaml): its models, and validation that reports every mistake with file and line."""

from __future__ import annotations

import functools
import ipaddress
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeVar, get_args
from urllib.parse import urlsplit

from pydantic import (
    BeforeValidator,
    Field,
    PrivateAttr,
    StrictBool,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from zerojhub.errors import Problems, UserError
from zerojhub.logins import LoginSpec
from zerojhub.placeholders import placeholder
from zerojhub.section import Section, matching
from zerojhub.text import nearest, requirement, shown
from zerojhub.yamlfile import KeyPath, items, line_of, plain, read_yaml, written

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails


Name = Annotated[
    str,
    Field(max_length=242),
    matching(r"[a-zA-Z][a-zA-Z0-9_.-]*", "a letter, followed by letters, digits, '-', '_' and '.'"),
]
"""A name that Magnum accepts for a cluster or template."""
Labels = dict[str, str | int | bool | float]


LABEL = r"\w([\w-]{0,61}\w)?"
"""What stands between the dots of a host name."""
KNOWN_KEYS = "known keys: "


Model = TypeVar("Model", bound=Section)


class TemplateSpec(Section):
    """A cluster template to create: the options of Magnum's API, under the same names without `_id`."""

    name: Name | None = None
    """Name of the template. Default: `zerojhub-` and the deployment's name."""
    coe: Literal["kubernetes", "swarm", "swarm-mode", "mesos"] = "kubernetes"
    """Container orchestration engine. A hub requires `kubernetes`."""
    image: str
    """Image of the servers, by name or ID. Magnum selects the driver by its property `os_distro`."""
    external_network: str
    """Network that provides floating IPs, by name or ID."""
    keypair: str | None = None
    """Keypair of clusters that specify none. Clusters created for a hub always specify one."""
    flavor: str | None = None
    """Flavor of the workers."""
    master_flavor: str | None = None
    """Flavor of the masters."""
    fixed_network: str | None = None
    """Existing network for the servers. Default: Magnum creates a network for each cluster."""
    fixed_subnet: str | None = None
    """Existing subnet of that network."""
    network_driver: str | None = None
    """Pod network: `flannel`, `calico` or `cilium`. Which of these work depends on the driver."""
    volume_driver: str | None = "cinder"
    """Volume driver. The hub and its users need the volumes that `cinder` provides."""
    driver: str | None = None
    """Magnum driver that creates the clusters. Default: Magnum selects it by the image."""
    dns_nameserver: str | None = None
    """DNS servers for the nodes, comma-separated."""
    http_proxy: str | None = None
    """URL of a proxy for HTTP, for clusters without direct internet access."""
    https_proxy: str | None = None
    """URL of a proxy for HTTPS."""
    no_proxy: str | None = None
    """Addresses to reach without the proxy, comma-separated."""
    docker_volume_size: int | None = Field(None, ge=1)
    """Size of a volume for container images on each server, in GB. Default: no such volume."""
    docker_storage_driver: str | None = None
    """Storage driver of the container runtime, such as `overlay2`."""
    server_type: Literal["vm", "bm"] = "vm"
    """Virtual machines (`vm`) or bare metal (`bm`)."""
    labels: Labels = {}
    """Options of the driver, such as `kube_tag`. Values can be strings, numbers or booleans."""
    tls_disabled: StrictBool = False
    """Run the API server without TLS. Insecure."""
    registry_enabled: StrictBool = False
    """Run an image registry in the cluster."""
    master_lb_enabled: StrictBool = False
    """Create a load balancer in front of the masters. Required for more than one master."""
    floating_ip_enabled: StrictBool = False
    """Assign a floating IP to each server."""
    public: StrictBool = False
    """Share the template with all projects. Requires an administrator."""
    hidden: StrictBool = False
    """Hide the template from lists."""
    insecure_registry: str | None = None
    """URL of an image registry without TLS."""
    tags: str | None = None
    """Tags, comma-separated."""


class ClusterSpec(Section):
    """The cluster: created from a template, or adopted if one with this name exists."""

    name: Name | None = None
    """Name of the cluster. An existing cluster is adopted unchanged. Default: the deployment's name."""
    template: str | TemplateSpec
    """Name or UUID of a cluster template, or a [mapping](#cluster-template-as-a-mapping) to create one."""
    workers: int = Field(1, ge=0)
    """Number of servers for the hub and its users."""
    masters: int = Field(1, ge=1)
    """Number of servers for the Kubernetes control plane. More than one requires `master_lb_enabled` in the template."""
    flavor: str | None = None
    """Flavor of the workers. Default: the template's."""
    master_flavor: str | None = None
    """Flavor of the masters. Default: the template's."""
    docker_volume_size: int | None = Field(None, ge=1)
    """Size of a volume for container images on each server, in GB. Default: the template's."""
    labels: Labels = {}
    """Labels, merged over those of the template."""
    keypair: str | None = None
    """Existing keypair. Its private key is looked up in `~/.ssh` and the SSH agent. Default: a new keypair."""
    fixed_network: str | None = None
    """Existing network for the servers. Default: the template's."""
    fixed_subnet: str | None = None
    """Existing subnet of that network. Default: the template's."""
    floating_ip_enabled: StrictBool | None = None
    """Assign a floating IP to each server. Default: as in the template."""
    discovery_url: str | None = None
    """URL at which the members of etcd find each other (Heat drivers). Default: one of the service that Magnum is configured with."""
    timeout: int = Field(60, ge=1)
    """Minutes after which Magnum aborts the creation."""


class AccessSpec(Section):
    """Access to the cluster."""

    road: Literal["auto", "ssh", "api"] = "auto"
    """`ssh`: SSH to the first master (Heat drivers). `api`: the Kubernetes API only (Cluster API drivers). `auto`: by the template."""
    user: str | None = None
    """User for SSH to the master, such as `core`, `fedora` or `ubuntu`. Default: the image's usual user."""
    private_key: Path | None = None
    """Private key of `cluster.keypair`, if it is not found automatically. Relative to the file, or absolute."""
    floating_ip: str | None = None
    """Existing floating IP of the project for the master. Default: a new one."""


class HelmSpec(Section):
    """The Helm program that installs the hub."""

    version: Annotated[str, matching(r"[34]\.\d+\.\d+", "a version of Helm 3 or 4, such as 3.16.4")] | None = None
    """Version of Helm 3 or 4. Default: an installed Helm 3.8 or later; if there is none, zerojhub installs a known version."""
    sha256: Annotated[str, matching(r"[0-9a-f]{64}", "64 hexadecimal digits in lower case")] | None = None
    """SHA-256 checksum of the Helm archive. Required for a version that zerojhub does not know."""


class StorageSpec(Section):
    """Volumes for the hub and its users."""

    class_name: Annotated[
        str,
        matching(
            r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*",
            "lower-case letters, digits, '-' and '.'",
        ),
    ] = Field("cinder", alias="class")
    """Storage class to create as the default if the cluster has no default storage class."""
    type: str | None = None
    """Cinder volume type of that class. Default: the cloud's default type."""


LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"
"""The directory of Let's Encrypt."""
PUBLIC_AUTHORITIES = ("letsencrypt.org", "zerossl.com", "pki.goog", "buypass.com", "ssl.com", "sectigo.com")
"""Domains of authorities whose certificates browsers trust."""
Email = Annotated[str, matching(r"[^@\s]+@[^@\s]+", "an e-mail address")]


class HttpsSpec(Section):
    """The certificate: requested from an authority with `contact`, or your own with `certificate` and `key`.

    `https: true` is the same as an empty section: something else has the certificate, such as the values or a load balancer.
    """

    contact: Email | None = None
    """E-mail address for the authority, from which the hub then gets its certificate."""
    server: Annotated[str, matching(r"https://[^\s@]+", "an https:// URL")] = LETS_ENCRYPT
    """Directory of the authority (ACME). Default: Let's Encrypt."""
    challenge: Literal["http", "dns"] = "http"
    """How the hub proves that the name is its own. `http`: the authority connects to port 80. `dns`: the hub creates a record in the project's zone."""
    credentials_file: Path | None = None
    """For `challenge: dns`: file with an application credential (mode 0600), as lines `OS_APPLICATION_CREDENTIAL_ID=…` and `OS_APPLICATION_CREDENTIAL_SECRET=…`. Default: `up` creates one that can change records only."""
    certificate: Path | None = None
    """Your own certificate in a file (PEM), followed by those of its authority."""
    key: Path | None = None
    """The certificate's private key in a file (PEM, mode 0600)."""
    ca_file: Path | None = None
    """Certificates of a private authority (PEM): that of `server`, and that of the hub's certificate."""

    @field_validator("server", "challenge", "credentials_file")
    @classmethod
    def _is_about_a_request(cls, value: object, info: ValidationInfo) -> object:
        if info.data.get("contact", "invalid") is None:
            raise PydanticCustomError("certificate", "is for a certificate that is requested, which needs contact")
        return value

    @field_validator("credentials_file")
    @classmethod
    def _is_for_records(cls, path: Path | None, info: ValidationInfo) -> Path | None:
        if path and info.data.get("challenge") == "http":
            raise PydanticCustomError("certificate", "is for challenge: dns")
        return path

    @field_validator("certificate")
    @classmethod
    def _is_one_or_the_other(cls, path: Path | None, info: ValidationInfo) -> Path | None:
        if path and info.data.get("contact"):
            raise PydanticCustomError("certificate", "either contact to request a certificate, or your own: not both")
        return path

    @model_validator(mode="after")
    def _has_both_files(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            lacking = "key" if self.key is None else "certificate"
            raise PydanticCustomError("certificate", f"your own certificate also needs {lacking}")
        return self

    @property
    def is_private(self) -> bool:
        """Whether only whoever trusts `ca_file` trusts what the authority issues."""
        host = urlsplit(self.server).hostname or ""
        return not any(host == each or host.endswith(f".{each}") for each in PUBLIC_AUTHORITIES)

    def paths(self) -> list[tuple[str, Path]]:
        """The files that are named, by their keys."""
        named = (
            ("ca_file", self.ca_file),
            ("credentials_file", self.credentials_file),
            ("certificate", self.certificate),
            ("key", self.key),
        )
        return [(key, path) for key, path in named if path]


def _https(given: object) -> object:
    """`true` and `false` as the section and none."""
    if isinstance(given, bool):
        return {} if given else None
    if given is not None and not isinstance(given, dict | HttpsSpec):
        raise PydanticCustomError("https", "must be true or false, or a mapping")
    return given


class HubSpec(Section):
    """The hub: its chart, values and URL."""

    values: Path | None = None
    """File with the chart's values, passed to Helm unchanged. Relative to this file, or absolute."""
    chart: str = "z2jh"
    """`z2jh` (Zero to JupyterHub), `embedded` (a small chart that ships with zerojhub), a directory, a `.tgz` file or a URL."""
    version: str | None = None
    """Version of the chart: `4.3.5`, or the newest `4.3` or `4`. Default: the newest that supports the cluster. See [Upgrade the hub](../how-to/upgrade.md)."""
    namespace: (
        Annotated[
            str,
            matching(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", "at most 63 lower-case letters, digits and '-' within"),
        ]
        | None
    ) = None
    """Namespace of the hub. Default: the deployment's name in lower case, with `-` for `_` and `.`."""
    host: str | None = None
    """Host name in the URL: a full name, or only its first part in the project's zone. `up` creates its DNS record if the project has the zone, and prints it otherwise. See [Names and addresses](../how-to/names.md)."""
    https: Annotated[HttpsSpec | None, BeforeValidator(_https)] = None
    """Use `https://` in the URL: `true`, or a [section about the certificate](#hub-https)."""
    contact: Email | None = None
    """Another place for `https.contact`. Requires `host` and `https`."""
    expose: Literal["LoadBalancer", "NodePort"] = "LoadBalancer"
    """`LoadBalancer`: through a load balancer of the cloud. `NodePort`: on a port of the master's floating IP."""
    address: str | None = None
    """Floating IP of the load balancer: `keep` to keep it when the load balancer is deleted, or an existing one of the project. Default: a new one, released with the hub. See [Names and addresses](../how-to/names.md)."""
    open_to_anyone: StrictBool = False
    """Allow a hub that anyone can log in to on a public address. Otherwise zerojhub refuses it."""

    @field_validator("version")
    @classmethod
    def _is_a_version(cls, version: str | None) -> str | None:
        from semver import Version

        number = (version or "0").removeprefix("v")
        if not re.fullmatch(r"(0|[1-9]\d*)(\.(0|[1-9]\d*))?", number) and not Version.is_valid(number):
            raise PydanticCustomError("version", "must be a version such as 4.3.5, 4.3 or 4")
        return version

    @field_validator("host")
    @classmethod
    def _is_a_host_name(cls, host: str | None) -> str | None:
        if host and "://" in host:
            raise PydanticCustomError("host", "must be a host name alone, without https:// or http://")
        if host is not None and not re.fullmatch(rf"\[[0-9a-fA-F:.]+\]|{LABEL}(\.{LABEL})*\.?", host):
            raise PydanticCustomError("host", "must be a host name, such as hub.example.org")
        return host

    @field_validator("address")
    @classmethod
    def _is_an_address_of_a_load_balancer(cls, address: str | None, info: ValidationInfo) -> str | None:
        if address not in (None, "keep") and not (is_address(address) and ":" not in address):
            raise PydanticCustomError("address", "must be keep, or a floating IP such as 203.0.113.7")
        if address and info.data.get("expose") == "NodePort":
            raise PydanticCustomError(
                "address", "is for a load balancer: with expose: NodePort, set access.floating_ip"
            )
        return address

    @field_validator("https")
    @classmethod
    def _has_a_name_for_a_certificate(cls, https: HttpsSpec | None, info: ValidationInfo) -> HttpsSpec | None:
        if https and is_address(host := info.data.get("host") or ""):
            raise PydanticCustomError("certificate", f"a certificate needs a host name, and {host} is an IP address")
        if https and (https.contact or https.certificate) and info.data.get("host", "invalid") is None:
            raise PydanticCustomError("certificate", "a certificate needs a host name: set hub.host")
        return https

    @field_validator("contact")
    @classmethod
    def _has_what_a_certificate_needs(cls, contact: str | None, info: ValidationInfo) -> str | None:
        lacking = [key for key in ("host", "https") if not info.data.get(key, "invalid")]
        if contact and lacking:
            raise PydanticCustomError("certificate", f"a certificate also needs {' and '.join(lacking)}")
        https = info.data.get("https")
        if contact and https:
            if https.certificate or https.contact not in (None, contact):
                raise PydanticCustomError("certificate", "contradicts https: leave it out")
            https.contact = contact
        return contact


def is_address(host: str) -> bool:
    """Is it an IP address, or one in brackets as in a URL?"""
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


class DnsSpec(Section):
    """The zone of Designate in which the record of `hub.host` is kept."""

    zone: Annotated[str, matching(rf"{LABEL}(\.{LABEL})+\.?", "the name of a zone, such as example.org.")]
    """Name of the zone. Without this section it is the nearest zone of the project above `hub.host`, if there is one."""

    @field_validator("zone")
    @classmethod
    def _is_absolute(cls, zone: str) -> str:
        return zone.rstrip(".") + "."


class AutoscaleSpec(Section):
    """Autoscaling: add workers when pods do not fit, remove idle ones. Without this section the cluster keeps its size."""

    min: int = Field(ge=0)
    """Minimum number of workers."""
    max: int = Field(ge=1)
    """Maximum number of workers."""

    @field_validator("max")
    @classmethod
    def _not_less_than_min(cls, most: int, info: ValidationInfo) -> int:
        if most < info.data.get("min", 0):
            raise PydanticCustomError("bounds", "must not be less than min")
        return most


class KeepSpec(Section):
    """How many backups of each user are kept: the last one of each of so many days, weeks and months."""

    daily: int = Field(7, ge=0)
    """Days."""
    weekly: int = Field(4, ge=0)
    """Weeks."""
    monthly: int = Field(12, ge=0)
    """Months."""


class BackupSpec(Section):
    """Backups of every user's files and of the hub's accounts, on a schedule. Without this section there are none."""

    to: Annotated[
        str,
        matching(
            r"(s3|rest):https?://[^@\s]+|swift:[^:/\s]+:/\S*",
            "s3:https://HOST/BUCKET, swift:CONTAINER:/PATH or rest:https://HOST/PATH, without a login",
        ),
    ]
    """Where the backups are kept: `s3:https://HOST/BUCKET`, `swift:CONTAINER:/PATH` or `rest:https://HOST/PATH`."""
    schedule: str = "0 3 * * *"
    """When, as for cron, in the time zone of the cluster's masters (usually UTC)."""
    keep: KeepSpec = KeepSpec()
    """How many backups are kept: `daily`, `weekly` and `monthly`, by default 7, 4 and 12."""
    password_file: Path
    """File with the password that encrypts the backups (mode 0600). Without it nobody can read them: keep a copy elsewhere."""
    credentials_file: Path | None = None
    """File with the login to the store (mode 0600), a line `NAME=VALUE` for each of the variables that restic reads. Required for `s3:` and `swift:`."""
    memory: Annotated[str, matching(r"[1-9]\d*(Mi|Gi)", "an amount such as 512Mi or 1Gi")] = "1Gi"
    """Most memory that a backup of one user may take."""

    @field_validator("keep")
    @classmethod
    def _keeps_something(cls, keep: KeepSpec) -> KeepSpec:
        if not keep.daily + keep.weekly + keep.monthly:
            raise PydanticCustomError("keep", "must keep at least one backup")
        return keep


class Deployment(Section):
    """One hub on one cluster in one cloud."""

    name: Name
    """Name of the deployment. Also the default name of the cluster and, in lower case, of the namespace."""
    cloud: str | None = None
    """Entry of `clouds.yaml`. Default: `OS_CLOUD`, or the other `OS_…` variables."""
    cluster: ClusterSpec
    access: AccessSpec = AccessSpec()
    helm: HelmSpec = HelmSpec()
    storage: StorageSpec = StorageSpec()
    hub: HubSpec = HubSpec()
    dns: DnsSpec | None = None
    login: LoginSpec | None = None
    autoscale: AutoscaleSpec | None = None
    backup: BackupSpec | None = None

    _path: Path = PrivateAttr(Path("hub.yaml"))

    @field_validator("dns")
    @classmethod
    def _has_the_host(cls, dns: DnsSpec | None, info: ValidationInfo) -> DnsSpec | None:
        if dns is None or "hub" not in info.data:
            return dns
        host = info.data["hub"].host
        if host is None or is_address(host):
            raise PydanticCustomError("dns", "the record is for hub.host, which has to be a name")
        if "." in host.rstrip(".") and not f"{host.rstrip('.')}.".lower().endswith(f".{dns.zone}".lower()):
            raise PydanticCustomError("dns", f"hub.host, {host}, is not in the zone {dns.zone}")
        return dns

    @property
    def path(self) -> Path:
        """The deployment file."""
        return self._path

    @property
    def cluster_name(self) -> str:
        """The cluster's name or UUID."""
        return self.cluster.name or self.name

    @property
    def namespace(self) -> str:
        """The namespace of the hub's release."""
        return self.hub.namespace or self.name.lower().replace("_", "-").replace(".", "-")[:63].rstrip("-")

    @property
    def release(self) -> str:
        """The name of the hub's release. Helm's names are shorter than Kubernetes' namespaces."""
        return self.namespace[:53].rstrip("-")

    @property
    def directory(self) -> Path:
        """The directory of the deployment file. Relative paths in the file start here."""
        return self._path.parent

    def where(self, *place: str | int) -> str:
        """file:line of a key of the deployment file, relative to the working directory if it is below it."""
        here, path = Path.cwd(), self._path
        shown = path.relative_to(here) if path.is_relative_to(here) else path
        return f"{shown}:{line_of(read_yaml(path), place)}"


def load(path: Path) -> Deployment:
    """Read a deployment file and fill in what depends on other keys. Raises Problems with one `file:line` per mistake."""
    if path.is_dir():
        raise UserError(
            "is a directory", where=str(path), hint=f"name the deployment file in it: -f {path / 'hub.yaml'}"
        )
    document = read_yaml(path, missing_hint="create one with `zerojhub init`, or name another with -f")
    if not isinstance(document, dict):
        raise UserError("a deployment file must be a mapping with name, cloud, cluster and hub", where=f"{path}:1")
    deployment = validated(Deployment, path, document)
    deployment._path = path.absolute()
    if deployment.hub.values:
        deployment.hub.values = deployment.directory / os.path.expanduser(deployment.hub.values)
    if deployment.access.private_key:
        deployment.access.private_key = deployment.directory / os.path.expanduser(deployment.access.private_key)
    for key, path in deployment.hub.https.paths() if deployment.hub.https else ():
        setattr(deployment.hub.https, key, deployment.directory / os.path.expanduser(path))
    if deployment.login:
        deployment.login.resolve_paths(deployment.directory)
    if backup := deployment.backup:
        backup.password_file = deployment.directory / os.path.expanduser(backup.password_file)
        if backup.credentials_file:
            backup.credentials_file = deployment.directory / os.path.expanduser(backup.credentials_file)
    return deployment


def validated(model: type[Model], path: Path, document: Any) -> Model:
    """The document of a YAML file as the model. Raises Problems with one `file:line` per mistake."""
    mistakes = dict(_own_mistakes(document, document, model, str(path)))
    try:
        parsed = model.model_validate(_as_written(document))
    except ValidationError as error:
        mistakes = _mistakes(path, document, error, model) | mistakes
    if mistakes:
        raise _problems(mistakes)
    return parsed


def _own_mistakes(
    document: Any, node: Any, model: type[Section] | None, path: str, place: KeyPath = ()
) -> Iterator[tuple[KeyPath, UserError]]:
    """What pydantic takes and nobody means, each with its place."""
    for step, value in items(node):
        there = (*place, step)
        where, name = f"{path}:{line_of(document, there)}", ".".join(map(str, there))
        field = _fields(model).get(str(step)) if model else None
        if isinstance(value, str):
            # No name or path contains one, and YAML only as an escape.
            if control := next((each for each in value if ord(each) < 32 and not each.isspace()), None):
                yield there, UserError(f"contains the control character U+{ord(control):04X}", where=where)
            elif unfilled := placeholder(value):
                yield there, UserError(f"{name}: the placeholder {unfilled} has not been filled in", where=where)
        elif field and int in (field.annotation, *get_args(field.annotation)) and isinstance(value, int | float):
            text = written(document, there)
            if text and value == int(value) and not re.fullmatch(r"[-+]?(0|[1-9]\d*)", text):
                meaning = shown(value if isinstance(value, bool) else int(value))
                hint = "write a plain number, such as 3"
                yield there, UserError(f"{name}: YAML reads {text} as {meaning}", where=where, hint=hint)
        yield from _own_mistakes(document, value, section_of(field.annotation) if field else None, path, there)


def template_spec(source: Path | None, given: dict[str, Any]) -> TemplateSpec:
    """A template from a YAML file, with `given` taking precedence. Raises Problems with `file:line` or the option."""
    document = read_yaml(source) if source else {}
    if not isinstance(document, dict):
        raise UserError("a template file must be a mapping of options", where=f"{source}:1")
    mistakes = dict(_own_mistakes(document, document, TemplateSpec, str(source)))
    try:
        spec = TemplateSpec.model_validate(_as_written(document) | given)
    except ValidationError as error:
        mistakes = _mistakes(source, document, error, TemplateSpec) | mistakes
    if mistakes:
        raise _problems(mistakes)
    return spec


def _problems(mistakes: dict[KeyPath, UserError]) -> Problems:
    """The mistakes, without repeating the list of known keys."""
    listed: set[str | None] = set()
    for mistake in mistakes.values():
        if mistake.hint and mistake.hint.startswith(KNOWN_KEYS):
            mistake.hint = None if mistake.hint in listed else mistake.hint
            listed.add(mistake.hint)
    return Problems(list(mistakes.values()))


def _as_written(document: Any) -> Any:
    """The document without positions. Labels are text for Magnum, in which `1.30` is not 1.3; and so is the chart's version."""
    found = plain(document)
    for place in (("labels",), ("cluster", "labels"), ("cluster", "template", "labels")):
        labels = functools.reduce(lambda node, step: node.get(step) if isinstance(node, dict) else None, place, found)
        for key, value in labels.items() if isinstance(labels, dict) else ():
            labels[key] = value if value is None else written(document, (*place, key)) or value
    if isinstance(hub := found.get("hub"), dict) and isinstance(hub.get("version"), int | float):
        hub["version"] = written(document, ("hub", "version"))
    return found


def _mistakes(
    path: Path | None, document: Any, error: ValidationError, model: type[Section]
) -> dict[KeyPath, UserError]:
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
    return mistakes


def _mistake(path: Path | None, document: Any, error: ErrorDetails, model: type[Section]) -> UserError:
    """A pydantic error as one line with its place and, for an unknown key, the key that was probably meant."""
    place = tuple(step for step in error["loc"] if not _is_branch(step))
    where = f"{path}:{line_of(document, place)}" if path else None
    name = ".".join(str(step) for step in place)
    if error["type"] == "extra_forbidden":
        known = _keys_at(place[:-1], model)
        meant = nearest(str(place[-1]), known)
        hint = f"did you mean {meant!r}?" if meant else f"{KNOWN_KEYS}{', '.join(known)}"
        return UserError(f"unknown key {name!r}", where=where, hint=hint)
    if error["type"] == "missing":
        return UserError(f"missing key {name!r}" if path else f"missing option --{name.replace('_', '-')}", where=where)
    if error["type"] == "string_type" and (text := written(document, place)):
        return UserError(f'{name}: must be a string: put it in quotes, "{text}"', where=where)
    message = requirement(error["type"], error.get("ctx", {}), error["msg"])
    given = error["input"]
    text = written(document, place) if isinstance(given, bool | int | float) else None  # `on`, not true
    suffix = f", not {text or shown(given)}" if message.startswith("must be ") else ""
    return UserError(f"{name}: {message}{suffix}", where=where)


def _is_branch(step: str | int) -> bool:
    """Pydantic includes the branch of a union in an error's location: `str`, `TemplateSpec`."""
    return step in ("str", "int", "bool", "float", "TemplateSpec")


def _keys_at(place: KeyPath, model: type[Section]) -> list[str]:
    """The keys of the section at `place` in `model`."""
    for step in place:
        field = _fields(model).get(str(step))
        model = section_of(field.annotation) or model if field else model
    return list(_fields(model))


def _fields(model: type[Section]) -> dict[str, FieldInfo]:
    """The section's fields by their keys in the file."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def section_of(annotation: Any) -> type[Section] | None:
    """The section in a field's annotation, be it a list or a union of it."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    return next((found for inner in get_args(annotation) if (found := section_of(inner))), None)
