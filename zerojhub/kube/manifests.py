"""Manifests of jobs and cron jobs, from options or from a file; errors in a file come with its line.

Fields: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/job-v1/ and cron-job-v1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from zerojhub.errors import Problems, UserError, ZeroJHubError
from zerojhub.kube import schedule
from zerojhub.kube.client import OURS, KubeError
from zerojhub.yamlfile import line_of, plain, read_yaml

if TYPE_CHECKING:
    from zerojhub.kube.client import Kube
    from zerojhub.kube.kinds import Kind
    from zerojhub.kube.types import Manifest

T = TypeVar("T")

NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
QUANTITY = re.compile(r"\d+(\.\d+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?")
LONGEST = {"Job": 63, "CronJob": 52}
"""Characters of a name: the names of a cron job's jobs are eleven longer."""
VERSIONS = {"Job": ("batch/v1",), "CronJob": ("batch/v1", "batch/v1beta1")}
MISTYPED = re.compile(r"cannot unmarshal (\w+) into Go struct field \w+\.(\S+) of type (\S+)")
COMMANDS = {"Job": "zerojhub job run", "CronJob": "zerojhub cron create"}


@dataclass(frozen=True)
class Source:
    """A manifest and where it comes from."""

    manifest: Manifest
    path: Path | None = None
    """Its file; None for a manifest made from options."""
    document: Any = None
    """The file's YAML with positions (`yamlfile.read_yaml`)."""

    def where(self, *place: str | int) -> str | None:
        """file:line of the key that `place` leads to."""
        return f"{self.path}:{line_of(self.document, place)}" if self.path else None


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
        "name": name,
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
    """The Job or CronJob (`kind`) in a YAML file. UserError with file:line for anything else."""
    document = read_yaml(path)
    if not isinstance(document, dict):
        raise UserError(f"a {kind} is a mapping with apiVersion, kind, metadata and spec", where=f"{path}:1")
    source = Source(plain(document), path, document)
    manifest = source.manifest

    def invalid(message: str, *place: str, hint: str | None = None) -> UserError:
        return UserError(message, where=source.where(*place), hint=hint)

    found, version = manifest.get("kind"), manifest.get("apiVersion", "")
    if found != kind:
        hint = f"{COMMANDS[found]} --from {path}" if found in COMMANDS else None
        raise invalid(f"kind is {found!r}, expected {kind!r}", "kind", hint=hint)
    if version not in VERSIONS[kind]:
        raise invalid(f"apiVersion is {version!r}, but that of a {kind} is batch/v1", "apiVersion")
    if not isinstance(manifest.get("spec"), dict):
        raise invalid("spec is missing or not a mapping", "spec")
    metadata = manifest.get("metadata")
    if not isinstance(metadata, dict) or not (metadata.get("name") or metadata.get("generateName")):
        raise invalid("metadata has no name", "metadata")
    if (name := metadata.get("name")) and (mistakes := _name_mistakes(str(name), kind)):
        raise invalid(mistakes[0].message, "metadata", "name")
    return source


def schedule_of(cron_job: Source) -> schedule.Schedule:
    """The schedule of a file's CronJob. UserError with its line."""
    spec = cron_job.manifest["spec"]
    where, zone_where = cron_job.where("spec", "schedule"), cron_job.where("spec", "timeZone")
    if not isinstance(spec.get("schedule"), str):
        raise UserError("the schedule is missing", where=where, hint="such as '0 6 * * *', daily at 6:00")
    return schedule.read(spec["schedule"], spec.get("timeZone"), where=where, zone_where=zone_where)


async def create(kube: Kube, kind: Kind[T], source: Source, namespace: str) -> T:
    """Create the object in the namespace, and return it.

    Raises Problems for everything that the API server rejects, each with its line in the file; UserError if the manifest
    is for another namespace, if that does not exist, or if the name is taken.
    """
    meta = source.manifest["metadata"]
    if (own := meta.get("namespace", namespace)) != namespace:
        where = source.where("metadata", "namespace")
        raise UserError(f"its namespace is {own}, not {namespace}", where=where, hint=f"use -n {own}")
    try:
        return await kube.create(kind, source.manifest | {"metadata": meta | {"namespace": namespace}})
    except KubeError as error:
        raise _explained(error, source) from None


def _explained(error: KubeError, source: Source) -> ZeroJHubError:
    if error.status == 404:
        return UserError(error.message, hint="create it with kubectl create namespace")
    if error.status == 409:
        command = " ".join([*COMMANDS[source.manifest["kind"]].split()[:2], "delete"])
        return UserError(error.message, hint=f"delete it with {command}, or use another name")
    if error.status not in (400, 422):
        return error
    causes = [(cause.get("field") or "", cause.get("message") or "") for cause in error.causes]
    # An unknown field, or a value of the wrong type, is only in the message.
    causes += [(field, f"unknown field {field!r}") for field in re.findall(r'unknown field "([^"]+)"', error.message)]
    causes += [
        (field, f"{field} must be of type {wanted}, not {given}")
        for given, field, wanted in re.findall(MISTYPED, error.message)
    ]
    if not causes:
        return UserError(error.message, where=str(source.path) if source.path else None)
    return Problems([_mistake(field, message, source) for field, message in causes])


def _mistake(field: str, message: str, source: Source) -> UserError:
    """`field` is as the API writes it: `spec.template.spec.containers[0].image`."""
    place = [int(step) if step.isdigit() else step for step in re.findall(r"[^.\[\]]+", field)]
    return UserError(message if field in message else f"{field}: {message}", where=source.where(*place))


def _name_mistakes(name: str | None, kind: str) -> list[UserError]:
    if name is None:
        return [UserError(f"a {kind} needs a name", hint="or give a file with --from")]
    if not NAME.fullmatch(name) or len(name) > LONGEST[kind]:
        allowed = f"lower-case letters, digits and dashes, at most {LONGEST[kind]} characters"
        return [UserError(f"{name!r} is not a valid name for a {kind}: use {allowed}")]
    return []
