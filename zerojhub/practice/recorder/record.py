"""A recording: send the requests, remove personal data, save a profile for the practice cloud."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from zerojhub.errors import UserError
from zerojhub.openstack.session import Cloud
from zerojhub.practice.profile import Profile
from zerojhub.practice.recorder.asking import Asker
from zerojhub.practice.recorder.facts import Recorded, public_names
from zerojhub.practice.recorder.stripping import Stripper
from zerojhub.yamlfile import dump

HEAD = """\
# A cloud's responses to read-only requests, for the practice cloud to imitate. Names, addresses and IDs are placeholders;
# equal placeholders stand for equal values. Still, read this file before you give it to anyone. The practice cloud uses
# everything above `answers`; those are for people to read.
"""


@dataclass(frozen=True)
class Recording:
    """The result of a recording."""

    profile: dict[str, Any]
    asked: dict[str, int]
    """Service -> number of responses."""
    silent: list[str]
    """Services in the catalog that did not respond."""
    left_out: list[str]
    """Services in the catalog that the practice cloud does not have."""
    not_shown: list[str]
    """What the cloud did not show; the default profile's is used instead."""


def record(cloud: Cloud, say: Callable[[str], None]) -> Recording:
    """Record the cloud. Raises UserError if the login fails or it has no Magnum."""
    asker = Asker(cloud)
    heard = asker.all(lambda question, before: say(f"{question.service}: {question.name} ({before} responses so far)"))
    recorded = Recorded({question.name: answer for question, answer in heard.items()}, asker.known["project"])
    stripper = Stripper(secrets_of(asker, recorded), set(public_names(recorded)))
    answers = {question.name: stripper.answer(question, answer) for question, answer in heard.items()}
    facts = stripped(stripper, recorded.facts())
    profile = {"description": "A recorded cloud", **facts, "answers": answers}
    Profile.model_validate(profile)
    asked: dict[str, int] = {}
    for question in heard:
        asked[question.service] = asked.get(question.service, 0) + 1
    left_out = {each["type"] for each in recorded.catalog()} - {each["type"] for each in facts["services"]}
    optional = {"public template": recorded.public_templates(), "cluster": recorded.at("a cluster")}
    return Recording(
        profile, asked, asker.silent, sorted(left_out), [what for what, found in optional.items() if not found]
    )


def secrets_of(asker: Asker, recorded: Recorded) -> dict[str, str]:
    """Words that must not appear in the profile -> their kind."""
    cloud = asker.cloud
    auth_plugin: Any = cloud.session.auth
    access = auth_plugin.get_access(cloud.session)
    auth = cloud.region.config.get("auth", {})
    found = {zone: "zone" for zone, own in recorded.zones().items() if own != zone}
    urls = [each["url"] for entry in recorded.catalog() for each in entry["endpoints"]]
    places = [urlsplit(url) for url in [*urls, auth.get("auth_url", "")]]
    found |= {host: "host" for place in places for host in (place.netloc, place.hostname) if host}
    regions = {each.get("region") for entry in recorded.catalog() for each in entry["endpoints"]}
    found |= dict.fromkeys(filter(None, regions), "region")
    domains = {access.user_domain_name, access.project_domain_name, access.user_domain_id, access.project_domain_id}
    found |= dict.fromkeys(filter(None, domains - {"Default", "default"}), "domain")
    found |= {access.auth_token: "token"} | {
        str(auth[key]): "password" for key in auth if "password" in key or "secret" in key
    }
    people = {"project": access.project_name, "user": access.username}
    return found | {name: kind for kind, name in people.items() if name}


def stripped(stripper: Stripper, facts: dict[str, Any]) -> dict[str, Any]:
    """The facts without secret words; labels with private values are left out."""
    facts = stripper.words(facts)
    for template in facts["templates"]:
        labels = {key: value for key, value in template["labels"].items() if stripper.is_plain(value)}
        template["labels"] = labels
    return facts


def refuse(path: Path) -> None:
    """Raises UserError if the file exists."""
    if path.exists():
        raise UserError("the file exists and is not overwritten", where=str(path), hint="choose another with --to")


def save(recording: Recording, path: Path) -> None:
    """Write the profile, readable only by its owner. Raises UserError if that fails."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise UserError(f"cannot be written: {error.strerror}", where=str(path)) from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(HEAD)
        file.write(dump(recording.profile))
