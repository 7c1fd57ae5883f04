"""Manifests of jobs and cron jobs: from words or from a file, with what is wrong in them said where it is.

Fields: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/job-v1/ and cron-job-v1.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from zerojhub.errors import Problems, UserError, ZeroJHubError
from zerojhub.kube import schedule
from zerojhub.kube.client import OURS, Kube, KubeError
from zerojhub.kube.kinds import Kind
from zerojhub.yamlfile import line_of, plain, read_yaml

NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
QUANTITY = re.compile(r"\d+(\.\d+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?")
LONGEST = {"Job": 63, "CronJob": 52}
"""Characters of a name: a cron job's jobs have eleven more."""
UNFIT = re.compile(r"cannot unmarshal (\w+) into Go struct field \w+\.(\S+) of type (\S+)")
COMMANDS = {"Job": "zerojhub job run", "CronJob": "zerojhub cron create"}


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
) -> dict[str, Any]:
    """A Job whose pods have one container. Problems for a name or quantities that Kubernetes would refuse."""
    resources = {key: value for key, value in (("cpu", cpu), ("memory", memory)) if value is not None}
    mistakes = _name_mistakes(name, "Job") + [
        UserError(f"{value!r} is no quantity", where=f"--{key}", hint="such as 500m or 2 CPUs, 256Mi or 1Gi of memory")
        for key, value in resources.items()
        if not QUANTITY.fullmatch(value)
    ]
    if not image:
        mistakes.append(UserError("a job needs an image", where="--image", hint="or give a file with --from"))
    if mistakes:
        raise Problems(mistakes)
    container = {
        "name": name,
        "image": image,
        # As kubectl has it: the image's entry point is replaced, not added to.
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
            # A pod that failed stays, with its log, and a new one takes its place.
            "template": {"spec": {"restartPolicy": "Never", "containers": [container]}},
        },
    }


def cron_job(name: str | None, schedule: str, zone: str | None, of: dict[str, Any]) -> dict[str, Any]:
    """A CronJob that makes this Job."""
    if mistakes := _name_mistakes(name, "CronJob"):
        raise Problems(mistakes)
    spec = {"schedule": schedule, **({"timeZone": zone} if zone else {}), "jobTemplate": {"spec": of["spec"]}}
    return {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": name, "labels": OURS}, "spec": spec}


def read(path: Path, kind: str) -> tuple[dict[str, Any], Any]:
    """The one Job or CronJob of a YAML file, and the document with its lines. UserError with file:line."""
    document = read_yaml(path)
    if not isinstance(document, dict):
        raise UserError(f"a {kind} is a mapping with apiVersion, kind, metadata and spec", where=f"{path}:1")

    def wrong(message: str, *place: str, hint: str | None = None) -> UserError:
        return UserError(message, where=f"{path}:{line_of(document, place)}", hint=hint)

    found, version = document.get("kind"), document.get("apiVersion", "")
    if found != kind:
        other = f"{COMMANDS[found]} --from {path}" if found in COMMANDS else None
        raise wrong(f"kind is {found!r}, and a {kind} is wanted", "kind", hint=other)
    if version not in ("batch/v1", "batch/v1beta1"):
        raise wrong(f"apiVersion is {version!r}, and a {kind}'s is batch/v1", "apiVersion")
    if not isinstance(document.get("spec"), dict):
        raise wrong("there is no spec", "spec")
    metadata = document.get("metadata")
    if not isinstance(metadata, dict) or not (metadata.get("name") or metadata.get("generateName")):
        raise wrong("metadata has no name", "metadata")
    if (name := metadata.get("name")) and (mistakes := _name_mistakes(str(name), kind)):
        raise wrong(mistakes[0].message, "metadata", "name")
    return plain(document), document


def schedule_of(cron_job: dict[str, Any], path: Path, document: Any) -> schedule.Schedule:
    """The schedule of a file's CronJob. UserError at its line."""

    def where(*place: str) -> str:
        return f"{path}:{line_of(document, place)}"

    given, zone = (cron_job["spec"].get(key) for key in ("schedule", "timeZone"))
    if not isinstance(given, str):
        raise UserError(
            "there is no schedule", where=where("spec", "schedule"), hint="such as '0 6 * * *', daily at six"
        )
    at = {"where": where("spec", "schedule"), "zone_where": where("spec", "timeZone")}
    return schedule.read(given, zone, **at)


async def create(kube: Kube, manifest: dict[str, Any], namespace: str, path: Path | None, document: Any) -> dict:
    """Make what the manifest says in the namespace, which it must not contradict. Returns the object.

    What the API server says is wrong with it becomes Problems, each at its line of the file; one of the name that is
    there, or no such namespace, a UserError.
    """
    kind, own = manifest["kind"], manifest["metadata"].get("namespace", namespace)
    if own != namespace:
        where = f"{path}:{line_of(document, ('metadata', 'namespace'))}"
        raise UserError(f"its namespace is {own}, and {namespace} is asked for", where=where, hint=f"give -n {own}")
    try:
        return await kube.create(
            Kind(f"{manifest['apiVersion']}/{kind}"),
            manifest | {"metadata": manifest["metadata"] | {"namespace": namespace}},
        )
    except KubeError as error:
        raise _refused(error, kind, path, document) from None


def _refused(error: KubeError, kind: str, path: Path | None, document: Any) -> ZeroJHubError:
    if error.status == 404:
        return UserError(error.message, hint="kubectl create namespace makes it")
    if error.status == 409:
        delete = " ".join([*COMMANDS[kind].split()[:2], "delete"])
        return UserError(error.message, hint=f"{delete} takes it away, or give another name")
    if error.status not in (400, 422):
        return error
    causes = [(cause.get("field") or "", cause.get("message") or "") for cause in error.causes]
    # A field that it does not know, or of another type, is told in the message alone.
    causes += [(field, f"unknown field {field!r}") for field in re.findall(r'unknown field "([^"]+)"', error.message)]
    causes += [
        (field, f"{field} takes {wanted}, not {given}") for given, field, wanted in re.findall(UNFIT, error.message)
    ]
    if not causes:
        return UserError(error.message, where=str(path) if path else None)
    return Problems([_mistake(field, message, path, document) for field, message in causes])


def _mistake(field: str, message: str, path: Path | None, document: Any) -> UserError:
    """`field` as the API writes it: `spec.template.spec.containers[0].image`."""
    said = message if field in message else f"{field}: {message}"
    if path is None:
        return UserError(said)
    place = tuple(int(step) if step.isdigit() else step for step in re.findall(r"[^.\[\]]+", field))
    return UserError(said, where=f"{path}:{line_of(document, place)}")


def _name_mistakes(name: str | None, kind: str) -> list[UserError]:
    if name is None:
        return [UserError(f"a {kind} needs a name", hint="or give a file with --from")]
    if not NAME.fullmatch(name) or len(name) > LONGEST[kind]:
        what = f"small letters, digits and dashes, {LONGEST[kind]} at most"
        return [UserError(f"{name!r} is no name for a {kind}: it takes {what}")]
    return []
