"""Remove personal data from responses: only values known to be harmless stay, all others become placeholders.

Equal values have equal placeholders, so references between them stay visible.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from zerojhub.practice.cloud.store import words
from zerojhub.practice.profile import KUBERNETES
from zerojhub.practice.recorder.asking import Heard, Question, questions

ADDRESS = r"\d{1,3}(?:\.\d{1,3}){3}"
SIX = r"(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}"
PATTERNS = (
    ("key", r"(?s)-----BEGIN.*?(?:-----END[^\n]*|$)|\b(?:ssh|ecdsa|sk)-[\w@.-]+ AAAA\S+(?: \S+)?"),
    ("token", r"\bgAAAA[\w=-]+"),
    ("request", r"\breq-[0-9a-f-]{36}"),
    ("uuid", r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"),
    ("id", r"\b[0-9a-f]{32,}\b"),
    ("time", r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d[\d:.]*(?:Z|[+-]\d\d:?\d\d)?"),
    ("email", r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"),
    ("address", rf"\b{ADDRESS}(?:/\d\d?)?\b|(?<![\w:]){SIX}(?:/\d+)?(?![\w:])"),
    ("host", r"(?<=://)[^/\s:\"'<>]+"),
)
"""Kind -> pattern of values that are recognized by their form, anywhere in a text."""
ONE_FOR_ALL = {"request", "time", "token"}
"""Kinds with a single placeholder for all values."""
NUMBER = re.compile(r"-?\d+(\.\d+)?|v?\d+(\.\d+)+([.+-]?(rc|alpha|beta|dev|rancher|k3s|rke2r)?[.-]?\d+)*|v\d+")
WORDS = {
    "",
    "true",
    "false",
    "none",
    "yes",
    "no",
    "default",
    "latest",
    "enabled",
    "disabled",
    "up",
    "down",
    "available",
}
SPEAKING = set(
    words(
        "status health_status coe server_type network_driver volume_driver driver cluster_distro os_distro docker_storage_driver "
        "visibility container_format disk_format version min_version max_version coe_version container_version kube_version "
        "os_admin_user interface rel type base alias resource state schema resource_types"
    )
)
"""Keys whose values are OpenStack's terms."""
NAMED_BY_OPENSTACK = {"providers", "extensions", "extension", "catalog", "template_versions", "versions"}
"""Keys below which names, IDs and descriptions come from the software."""
FREE_FORM = re.compile(
    "labels.*|metadata|properties|extra_specs|faults|health_status_reason|parameters|node_labels|options"
)
"""Keys below which users choose the keys."""
PUBLIC = {"public": (True,), "is_public": (True,), "os-flavor-access:is_public": (True,), "visibility": ("public",)}
REFERENCES = {"image_id", "flavor_id", "master_flavor_id", "volume_type"}
"""Keys whose values may be the name of a public resource."""
STEPS = {step for question in questions() for step in question.path.partition("?")[0].split("/")} | set(
    words(
        "clustertemplates nodegroups certificates credentials mservices federations baymodels bays stats quotas subnets file "
        "schemas volumes"
    )
)
"""Segments of the paths of links, except names and IDs."""
HEADERS = re.compile(
    r"openstack-api-.*|x-openstack-.*|x-compute-request-id|vary|content-type|location|www-authenticate|allow"
)
"""Headers that come from the service, not from a proxy."""
DOCUMENTATION = re.compile(r"https?://(docs|specs|developer|wiki)\.openstack\.org/\S*")


class Stripper:
    """Removes personal data from a cloud's responses. `secret` words (names, hosts, password) are replaced everywhere."""

    def __init__(self, secret: dict[str, str], public: Collection[str]):
        # Longest first: one may be part of another.
        self._secret = sorted(((word, kind) for word, kind in secret.items() if word), key=lambda each: -len(each[0]))
        self._public = set(public)
        self._known: dict[str, str] = {}
        self._counts: dict[str, int] = {}

    def answer(self, question: Question, heard: Heard) -> dict[str, Any]:
        """The response as in a profile: `ask`, `status`, `headers`, `body`."""
        headers = {name: self.text(value) for name, value in sorted(heard.headers.items()) if HEADERS.fullmatch(name)}
        # Error messages are the service's own text, except what they repeat from the request.
        body = self.value(heard.body) if heard.status < 400 else self.words(heard.body)
        asked = " ".join(each for each in (question.method, question.path, question.microversion) if each)
        return {"ask": asked, "status": heard.status, "headers": headers, "body": body}

    def words(self, value: Any) -> Any:
        """Keep all strings, but replace recognized patterns and secret words."""
        if isinstance(value, dict):
            return {key: self.words(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.words(item) for item in value]
        return self.text(value) if isinstance(value, str) else value

    def text(self, text: str) -> str:
        """The text with placeholders for recognized patterns and secret words."""
        kept: list[str] = []

        def keep(found: re.Match) -> str:
            kept.append(found[0])
            return f"\0{len(kept) - 1}\0"

        text = DOCUMENTATION.sub(keep, text)
        for word, kind in self._secret:
            # Short words are replaced only as whole words.
            pattern = re.escape(word) if len(word) > 3 else rf"(?<!\w){re.escape(word)}(?!\w)"
            if re.search(pattern, text):
                text = re.sub(pattern, self.placeholder(kind, word), text)
        for kind, pattern in PATTERNS:
            text = re.sub(pattern, partial(self._replace, kind), text)
        return re.sub("\0(\\d+)\0", lambda found: kept[int(found[1])], text)

    def _replace(self, kind: str, found: re.Match[str]) -> str:
        """A placeholder for a match, unless it is one already."""
        return found[0] if found[0].startswith("<") else self.placeholder(kind, found[0])

    def placeholder(self, kind: str, value: str) -> str:
        """The placeholder of a value, with the kind that it was first recognized as."""
        if kind in ONE_FOR_ALL:
            return f"<{kind}>"
        if value not in self._known:
            self._counts[kind] = self._counts.get(kind, 0) + 1
            self._known[value] = f"<{kind}-{self._counts[kind]}>"
        return self._known[value]

    def value(self, value: Any, key: str = "", *, public: bool = False, software: bool = False) -> Any:
        """A part of a successful response under `key`; `public` and `software` say whose data it is."""
        if isinstance(value, dict):
            return self._mapping(value, key, public=public, software=software)
        if isinstance(value, list):
            return [self.value(item, key, public=public, software=software) for item in value]
        if not isinstance(value, str):
            return value
        if self._harmless(value, key, public=public, software=software):
            return self.text(value)
        stripped = self.text(value)
        if "://" in value:
            return self._link(stripped)
        if stripped != value and re.fullmatch(r"(<[a-z]+(-\d+)?>[\s,:]*)+", stripped):
            return stripped
        return self.placeholder("name" if key == "name" else "text", value)

    def is_plain(self, value: Any) -> bool:
        """Is a label with this value harmless?"""
        return not isinstance(value, str) or value in {KUBERNETES, *self._public} or self._harmless(value, "")

    def _mapping(self, value: dict, key: str, *, public: bool, software: bool) -> dict:
        public = public or any(value.get(flag) in wanted for flag, wanted in PUBLIC.items() if flag in value)
        if FREE_FORM.fullmatch(key):
            return {
                name if public else self.placeholder("key", name): self._chosen(item, public=public)
                for name, item in value.items()
            }
        return {
            name: self.value(item, name, public=public, software=software or name in NAMED_BY_OPENSTACK)
            for name, item in value.items()
        }

    def _chosen(self, value: Any, *, public: bool) -> Any:
        """A value under a key chosen by a user: private unless it is public."""
        if public or not isinstance(value, str) or value.lower() in WORDS:
            return self.value(value, public=public)
        return self.placeholder("text", value)

    def _harmless(self, value: str, key: str, *, public: bool = False, software: bool = False) -> bool:
        if value.lower() in WORDS or NUMBER.fullmatch(value):
            return True
        if software and key in ("name", "id", "description", "summary", "updated"):
            return True
        if (key == "name" and public) or (key in REFERENCES and value in self._public):
            return True
        return key in SPEAKING and re.fullmatch(r"[\w:./+-]{1,80}", value) is not None and "://" not in value

    def _link(self, url: str) -> str:
        """A link without names in its path."""
        place = urlsplit(url)
        steps = [self._step(step) for step in place.path.split("/")]
        return f"{place.scheme}://{place.netloc}{'/'.join(steps)}" + ("?…" if place.query else "")

    def _step(self, step: str) -> str:
        plain = step in STEPS or re.fullmatch(r"|v\d[\d.]*|<[a-z]+-\d+>|\{[a-z_]+\}", step)
        return step if plain else self.placeholder("text", step)
