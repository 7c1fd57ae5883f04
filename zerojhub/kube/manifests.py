"""Manifests of jobs and cron jobs, from options or from a file with what they need; errors in a file come with its line.

Fields: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/job-v1/ and cron-job-v1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zerojhub.errors import Problems, UserError
from zerojhub.kube import exported, schedule
from zerojhub.kube.client import OURS
from zerojhub.text import plural
from zerojhub.yamlfile import KeyPath, line_of, read_documents

if TYPE_CHECKING:
    from zerojhub.kube.types import Manifest

NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
"""A DNS subdomain (RFC 1123)."""
QUANTITY = re.compile(r"\d+(\.\d+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?")
LONGEST = {"Job": 63, "CronJob": 52}
"""Characters of a name. A job's name is also a label of its pods, and that of a cron job's job is up to eleven longer."""
SUFFIX = {"Job": 0, "CronJob": len("-28000000")}
"""Characters that the name of a job adds to the one in the manifest."""
LONGEST_POD = 57
"""Characters of a job's name in the names of its pods, which end with a dash and five more."""
VERSIONS = {"Job": ("batch/v1",), "CronJob": ("batch/v1", "batch/v1beta1")}
COMMANDS = {"Job": "zerojhub job run", "CronJob": "zerojhub cron create"}


@dataclass(frozen=True)
class Source:
    """A manifest and where it comes from."""

    manifest: Manifest
    file: str | None = None
    """The name of its file; None for a manifest made from options."""
    document: Any = None
    """The file's YAML with positions (`yamlfile.read_documents`)."""
    line: int = 1
    """Where the document starts."""
    place: KeyPath = ()
    """Where the manifest is in the document: in the items of a list, or at its root."""
    needs: tuple[Source, ...] = ()
    """What else is in the file, to be created before it and deleted with it."""

    def where(self, *place: str | int) -> str | None:
        """file:line of the key that `place` leads to."""
        return f"{self.file}:{max(self.line, line_of(self.document, (*self.place, *place)))}" if self.file else None

    @property
    def name(self) -> str:
        """Its name, or the beginning of the name that the API server generates."""
        meta = self.manifest["metadata"]
        return str(meta.get("name") or f"{meta['generateName']}…")

    def __str__(self) -> str:
        return f"{self.manifest['kind']} {self.name}"

    def has_long_name(self) -> bool:
        """Whether its pods have names that are cut."""
        return len(self.name) + SUFFIX[self.manifest["kind"]] > LONGEST_POD


def job(
    name: str | None,
    image: str | None,
    command: list[str],
    *,
    env: dict[str, str],
    cpu: str | None = None,
    memory: str | None = None,
    completions: int | None = None,
    parallelism: int | None = None,
    backoff_limit: int | None = None,
) -> Manifest:
    """A Job whose pods have one container. Raises Problems for a name or a quantity that Kubernetes would reject."""
    resources = {key: value for key, value in (("cpu", cpu), ("memory", memory)) if value is not None}
    mistakes = _name_mistakes(name, "Job") + [
        UserError(
            f"{value!r} is not a valid quantity",
            where=f"--{key}",
            hint="such as 500m or 2 CPUs, 256Mi or 1Gi of memory",
        )
        for key, value in resources.items()
        if not QUANTITY.fullmatch(value)
    ]
    if not image:
        mistakes.append(UserError("a job needs an image", where="--image", hint="or give a file with --from"))
    if mistakes:
        raise Problems(list(mistakes))
    container = {
        "name": (name or "").replace(".", "-"),
        "image": image,
        # As with kubectl, it replaces the image's entry point.
        **({"command": command} if command else {}),
        **({"env": [{"name": key, "value": value} for key, value in env.items()]} if env else {}),
        **({"resources": {"requests": resources, "limits": resources}} if resources else {}),
    }
    counts = {"completions": completions, "parallelism": parallelism, "backoffLimit": backoff_limit}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "labels": OURS},
        "spec": {
            **{key: value for key, value in counts.items() if value is not None},
            # A failed pod is kept, with its log, and a new one replaces it.
            "template": {"spec": {"restartPolicy": "Never", "containers": [container]}},
        },
    }


def cron_job(name: str | None, schedule: str, zone: str | None, of: Manifest) -> Manifest:
    """A CronJob that creates this Job. Raises Problems for a name that Kubernetes would reject."""
    if mistakes := _name_mistakes(name, "CronJob"):
        raise Problems(list(mistakes))
    spec = {"schedule": schedule, **({"timeZone": zone} if zone else {}), "jobTemplate": {"spec": of["spec"]}}
    return {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": name, "labels": OURS}, "spec": spec}


def read(path: Path, kind: str) -> Source:
    """The Job or CronJob (`kind`) in a YAML or JSON file (`-`: standard input), with the other objects in the file.

    What the API server had set in an exported object is left out. UserError with file:line for anything else.
    """
    file = "stdin" if str(path) == "-" else str(path)
    objects = [
        each
        for line, document in read_documents(path)
        for each in _objects(Source(_as_json(document), file, document, line))
        if not exported.is_made_by_the_cluster(each.manifest) or each.manifest["kind"] == kind
    ]
    own = [each for each in objects if each.manifest["kind"] == kind]
    others = [each for each in objects if each.manifest["kind"] != kind]
    if not own:
        raise _no_such(kind, objects, file)
    source = own[0]
    if len(own) > 1 or any(each.manifest["kind"] in VERSIONS for each in others):
        second = next(each for each in objects if each.manifest["kind"] in VERSIONS and each is not source)
        kinds = plural(len(own), kind) if len(own) > 1 else f"a {second.manifest['kind']} and a {kind}"
        raise UserError(f"{kinds} in one file", where=second.where("kind"), hint="put each in a file of its own")
    _check(source, kind)
    source = replace(_clean(source), needs=tuple(_clean(each) for each in others))
    if (name := source.manifest["metadata"].get("name")) and (mistakes := _name_mistakes(name, kind)):
        raise UserError(mistakes[0].message, where=source.where("metadata", "name"))
    return source


def _as_json(node: Any) -> Any:
    """The document without positions. A whole number is written as one, as kubectl does: `1e3` is 1000."""
    if isinstance(node, dict):
        return {key: _as_json(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_as_json(value) for value in node]
    return int(node) if isinstance(node, float) and node.is_integer() else node


def _clean(source: Source) -> Source:
    """The object without what the API server sets. UserError if it has no name."""
    metadata = source.manifest.get("metadata")
    if not isinstance(metadata, dict) or not (metadata.get("name") or metadata.get("generateName")):
        raise UserError("metadata has no name", where=source.where("metadata"))
    for key in ("name", "generateName", "namespace"):
        if not isinstance(metadata.get(key) or "", str):
            where, hint = source.where("metadata", key), "put it in quotes"
            raise UserError(f"metadata.{key} must be a string, not {metadata[key]!r}", where=where, hint=hint)
    for key in ("labels", "annotations"):
        if not isinstance(metadata.get(key) or {}, dict):
            raise UserError(f"metadata.{key} must be a mapping", where=source.where("metadata", key))
    return replace(source, manifest=exported.cleaned(source.manifest))


def _objects(source: Source) -> Iterator[Source]:
    """The object, or the objects in the list that it is. UserError for anything that is no object."""
    manifest = source.manifest
    if not isinstance(manifest, dict):
        raise UserError("an object is a mapping with apiVersion, kind and metadata", where=source.where())
    for key in ("kind", "apiVersion"):
        if not isinstance(manifest.get(key), str):
            raise UserError(f"{key} is missing or not a string", where=source.where(key))
    if not manifest["kind"].endswith("List") or "items" not in manifest:
        yield source
        return
    of = {"apiVersion": manifest["apiVersion"], "kind": manifest["kind"].removesuffix("List")}
    items = manifest["items"] or []
    if not isinstance(items, list):
        raise UserError("items must be a list of objects", where=source.where("items"))
    for index, item in enumerate(items):
        # The items of a JobList need not repeat what they are.
        whole = (of if of["kind"] else {}) | item if isinstance(item, dict) else item
        yield from _objects(replace(source, manifest=whole, place=(*source.place, "items", index)))


def _no_such(kind: str, objects: list[Source], file: str) -> UserError:
    if not objects:
        return UserError(f"no {kind} in the file", where=f"{file}:1")
    other = next((each for each in objects if each.manifest["kind"] in COMMANDS), objects[0])
    found = other.manifest["kind"]
    hint = f"{COMMANDS[found]} --from {file}" if found in COMMANDS else None
    return UserError(f"kind is {found!r}, expected {kind!r}", where=other.where("kind"), hint=hint)


def _check(source: Source, kind: str) -> None:
    manifest = source.manifest
    if manifest["apiVersion"] not in VERSIONS[kind]:
        message = f"apiVersion is {manifest['apiVersion']!r}, but that of a {kind} is batch/v1"
        raise UserError(message, where=source.where("apiVersion"))
    if not isinstance(manifest.get("spec"), dict):
        raise UserError("spec is missing or not a mapping", where=source.where("spec"))


def schedule_of(cron_job: Source) -> schedule.Schedule:
    """The schedule of a file's CronJob. UserError with its line."""
    spec = cron_job.manifest["spec"]
    where, zone_where = cron_job.where("spec", "schedule"), cron_job.where("spec", "timeZone")
    if isinstance(spec.get("schedule"), int | float):
        raise UserError(
            f"the schedule is a number, {spec['schedule']}", where=where, hint="such as '0 6 * * *', in quotes"
        )
    if not isinstance(spec.get("schedule"), str):
        raise UserError("the schedule is missing", where=where, hint="such as '0 6 * * *', daily at 6:00")
    if not isinstance(zone := spec.get("timeZone"), str | None):
        raise UserError(f"timeZone must be a string, not {zone!r}", where=zone_where, hint="such as Europe/Rome")
    return schedule.read(spec["schedule"], zone, where=where, zone_where=zone_where)


def _name_mistakes(name: str | None, kind: str) -> list[UserError]:
    if name is None:
        return [UserError(f"a {kind} needs a name", hint="or give a file with --from")]
    if not NAME.fullmatch(name) or len(name) > LONGEST[kind]:
        allowed = f"lower-case letters, digits, dashes and dots, at most {LONGEST[kind]} characters"
        return [UserError(f"{name!r} is not a valid name for a {kind}: use {allowed}")]
    return []
