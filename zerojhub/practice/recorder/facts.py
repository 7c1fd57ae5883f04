"""The facts for a profile in a cloud's responses. Only public data is used."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from zerojhub.practice import profile
from zerojhub.practice.cloud import services
from zerojhub.practice.cloud.magnum.schema import FULL, TEMPLATE
from zerojhub.practice.cloud.store import dotted
from zerojhub.practice.profile import DEFAULT, KUBERNETES
from zerojhub.practice.recorder.asking import VERSION, Heard, at

Facts = dict[str, Any]

USUAL = {
    "fedora-atomic": "k8s_fedora_atomic_v1",
    "fedora-coreos": "k8s_fedora_coreos_v1",
    "ubuntu": "k8s_cluster_api_ubuntu",
}
"""os_distro -> driver, for a Magnum that does not show the driver."""
CLUSTER_API = re.compile(r"(k8s_)?(cluster_api|capi)")
"""Drivers of magnum-cluster-api and magnum-capi-helm."""
LOGINS = {"fedora-atomic": "fedora", "fedora-coreos": "core", "ubuntu": "ubuntu"}
LIMITS = {
    "compute": ("quotas of Nova", "quota_set"),
    "network": ("quotas of Neutron", "quota"),
    "volume": ("quotas of Cinder", "quota_set"),
    "load-balancer": ("quotas of Octavia", "quota"),
}
DOCUMENTS = {
    "compute": "version 2.1 of Nova",
    "volumev3": "versions of Cinder",
    "container-infra": "versions of Magnum",
}
"""Service -> the request whose response has its microversions."""
VERSIONED = {"block-storage": "volumev3"}
SECRET = re.compile("pass|secret|token|key", re.IGNORECASE)
"""Labels with secret values."""


class Recorded:
    """The responses by request name."""

    def __init__(self, answers: dict[str, Heard], project: str):
        self.answers, self.project = answers, project

    def at(self, name: str, where: str = "") -> Any:
        """The value at a place in a successful response; otherwise None."""
        heard = self.answers.get(name)
        if heard is None or heard.status >= 400:
            return None
        return at(heard.body, where) if where else heard.body

    def listed(self, name: str, where: str) -> list[dict]:
        return self.at(name, where) or []

    # -- facts ------------------------------------------------------------------------------------------------------

    def facts(self) -> Facts:
        """A profile without description and responses. Missing facts are taken from the default profile."""
        own = profile.load(DEFAULT).model_dump(by_alias=True, exclude_defaults=True)
        templates, images = self.templates_and_images()
        found = {
            "services": self.services(),
            "drivers": self.drivers() if templates else [],
            "lacks": self.lacks(),
            "templates": templates,
            "flavors": self.flavors(),
            "images": images,
            "volume_types": [{"name": each["name"]} for each in self.volume_types()],
            "load_balancer_providers": [
                {"name": each["name"]} for each in self.listed("providers of load balancers", "providers")
            ],
            "availability_zones": list(self.zones().values()),
            "quotas": self.quotas(),
        }
        if not templates:
            found["images"] = []
        return {key: value or own.get(key) for key, value in found.items() if value or own.get(key)}

    def services(self) -> list[Facts]:
        """The catalog, limited to services that the practice cloud has."""
        return [service for each in self.catalog() if (service := self.service(each))]

    def catalog(self) -> list[dict]:
        return self.listed("catalog", "catalog")

    def service(self, entry: dict) -> Facts | None:
        endpoints = sorted(entry["endpoints"], key=lambda each: each["interface"] != "public")
        if entry["type"] not in services.roots() or not endpoints:
            return None
        path = VERSION.search(endpoints[0]["url"].rstrip("/"))
        service = {"type": entry["type"], "name": entry["name"]}
        if path:
            service["path"] = path[0].replace(self.project, "{project}")
        kind = VERSIONED.get(entry["type"], entry["type"])
        if kind in DOCUMENTS:
            oldest, newest = map(dotted, profile.load(DEFAULT).microversions(kind))
            service["microversions"] = self.microversions(kind) or {"oldest": oldest, "newest": newest}
        return service

    def microversions(self, kind: str) -> Facts | None:
        body = self.at(DOCUMENTS[kind])
        if not isinstance(body, dict):
            return None
        document: Facts = body.get("version") or next(
            (each for each in body.get("versions", []) if each.get("min_version") and each["id"].startswith("v")), {}
        )
        newest = document.get("max_version") or document.get("version")
        if not newest:
            return None
        found = {"oldest": document["min_version"], "newest": newest}
        heard = self.answers.get("an oldest microversion") if kind == "container-infra" else None
        words = heard.headers.get("openstack-api-version", "").split() if heard else []
        return found | ({"service": words[0]} if len(words) == 2 else {})

    def lacks(self) -> Facts:
        """Attributes of a current Magnum that this one lacks."""
        template, cluster = self.at("a template"), self.at("a cluster")
        known = [attribute.name for attribute in TEMPLATE if attribute.name not in ("user_id", "project_id")]
        found = {
            "template": [name for name in known if template and name not in template],
            "cluster": [name for name in FULL if cluster and name not in cluster and name != "cluster_id"],
        }
        return {key: value for key, value in found.items() if value}

    def public_templates(self) -> list[dict]:
        listed = self.listed("public templates", "clustertemplates")
        return [each for each in listed if each.get("public") and each.get("coe") == "kubernetes"]

    def public_images(self) -> list[dict]:
        return [each for each in self.listed("public images", "images") if each.get("visibility") == "public"]

    def public_flavors(self) -> list[dict]:
        return [each for each in self.listed("flavors", "flavors") if each.get("os-flavor-access:is_public", True)]

    def volume_types(self) -> list[dict]:
        """Public volume types, the default first."""
        default = self.at("default volume type", "volume_type.name")
        listed = [each for each in self.listed("volume types", "volume_types") if each.get("is_public", True)]
        return sorted(listed, key=lambda each: each["name"] != default)

    def drivers(self) -> list[Facts]:
        found: dict[str, Facts] = {}
        for template in self.public_templates():
            distro = template.get("cluster_distro") or (self.image_of(template) or {}).get("os_distro") or "ubuntu"
            name = template.get("driver") or USUAL.get(distro, f"k8s_{distro.replace('-', '_')}_v1")
            behind = CLUSTER_API.match(name) is not None
            driver = found.setdefault(
                name,
                {
                    "name": name,
                    "kind": "cluster-api" if behind else "heat",
                    "os_distros": [],
                    # Cannot be seen without trying it: assume what the default profile's drivers support.
                    "rotates": ["credentials"] if behind else ["ca"] if distro == "fedora-coreos" else [],
                },
            )
            if distro not in driver["os_distros"]:
                driver["os_distros"].append(distro)
        return list(found.values())

    def image_of(self, template: dict) -> dict | None:
        wanted = template["image_id"]
        return next((each for each in self.public_images() if wanted in (each["id"], each["name"])), None)

    def templates_and_images(self) -> tuple[list[Facts], list[Facts]]:
        """Public templates and their images, with placeholders for Kubernetes versions."""
        templates: list[Facts] = []
        images: list[Facts] = []
        flavors = {name: each["name"] for each in self.public_flavors() for name in (each["id"], each["name"])}
        for number, template in enumerate(self.public_templates(), 1):
            image = self.image_of(template) or {"name": f"image-{number}", "os_distro": template.get("cluster_distro")}
            version = template["labels"].get("kube_tag") or image.get("kube_version")
            add(images, image_facts(image, version))
            kept = {
                "name": template["name"],
                "image": image["name"],
                "flavor": flavors.get(template["flavor_id"]),
                "master_flavor": flavors.get(template["master_flavor_id"]),
                "external_network": "public",
                "labels": {key: value for key, value in template["labels"].items() if not SECRET.search(key)},
            }
            same = ("network_driver", "volume_driver", "docker_volume_size", "docker_storage_driver")
            kept |= {key: template.get(key) for key in (*same, "server_type")}
            kept |= {key: True for key in ("master_lb_enabled", "floating_ip_enabled") if template.get(key)}
            said = {key: value for key, value in kept.items() if value is not None or key == "volume_driver"}
            add(templates, opened(said, version))
        return templates, images

    def flavors(self) -> list[Facts]:
        return [
            {key: each[key] for key in ("name", "vcpus", "ram", "disk")}
            for each in sorted(self.public_flavors(), key=lambda each: (each["ram"], each["vcpus"]))
        ]

    def zones(self) -> dict[str, str]:
        """Zone -> name in the profile: zone names may reveal a location."""
        names = [each["zoneName"] for each in self.listed("zones of Nova", "availabilityZoneInfo")]
        return {name: name if name == "nova" else f"zone-{number}" for number, name in enumerate(names, 1)}

    def quotas(self) -> Facts:
        """The quotas that a profile can contain."""
        found: Facts = {}
        for service, (name, where) in LIMITS.items():
            section = profile.section_of(profile.Quotas.model_fields[service.replace("-", "_")].annotation)
            assert section
            limits = self.at(name, where) or {}
            kept = {key: limits[key] for key in section.model_fields if isinstance(limits.get(key), int)}
            found |= {service: kept} if kept else {}
        if (limit := self.at("quota of one's own", "hard_limit")) is not None:
            found["container-infra"] = {"Cluster": limit}
        return found


def image_facts(image: dict, version: str | None) -> Facts:
    distro = image.get("os_distro")
    facts = {
        "name": image["name"],
        "os_distro": distro,
        "login": image.get("os_admin_user") or LOGINS.get(distro or ""),
        "kube_version": image.get("kube_version"),
    }
    return opened({key: value for key, value in facts.items() if value}, version)


def opened(value: Any, version: str | None) -> Any:
    """The value with the Kubernetes version replaced by its placeholder."""
    if isinstance(value, dict):
        return {key: opened(item, version) for key, item in value.items()}
    return value.replace(version, KUBERNETES) if version and isinstance(value, str) else value


def add(found: list[Facts], facts: Facts) -> None:
    """Add unless there is one with this name: names that differed only in the version are equal now."""
    if facts["name"] not in [each["name"] for each in found]:
        found.append(facts)


def public_names(recorded: Recorded) -> Iterator[str]:
    """The names of public resources."""
    for listed in (
        recorded.public_flavors(),
        recorded.public_images(),
        recorded.public_templates(),
        recorded.volume_types(),
    ):
        yield from (each["name"] for each in listed)
