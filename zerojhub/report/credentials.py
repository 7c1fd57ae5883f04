"""A cluster's credential as text."""

from __future__ import annotations

from zerojhub.cluster.credentials import Credential, Replaced
from zerojhub.report.plain import print
from zerojhub.report.results import Output, show, table


def show_credential(credential: Credential, before: Replaced | None, output: Output) -> None:
    """The credential and whether it works; `before` is the one that a rotation replaced."""

    def people() -> None:
        if before:
            print(f"{before.kind} {before.id} {'is still valid' if before.works else 'was revoked'}")
        print(
            f"{credential.kind} {credential.id} {'is valid' if credential.works else f'is not valid: {credential.why_not}'}"
        )
        table([{"setting": key, "value": value} for key, value in credential.settings.items()], ("setting", "value"))

    data = {
        "kind": credential.kind,
        "id": credential.id,
        "works": credential.works,
        "why_not": credential.why_not,
        "file": credential.file,
        "settings": credential.settings,
        **({"before": before} if before else {}),
    }
    show(data, output, people)
