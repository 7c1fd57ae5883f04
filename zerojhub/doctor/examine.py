"""Look for everything at once, and repair what may be repaired."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import anyio

from zerojhub.doctor import CHECKS, Check
from zerojhub.doctor.finding import Diagnosis, Finding, Fix, Unchecked
from zerojhub.doctor.subject import Subject
from zerojhub.errors import ZeroJHubError
from zerojhub.run import Run
from zerojhub.tasks import task_group
from zerojhub.text import Say

CHECK_TIMEOUT = 120
"""Seconds for a check, with the requests that it sends again."""


async def examine(run: Run, options: str | None, checks: Sequence[Check] = CHECKS) -> Diagnosis:
    """All that is wrong, in the order of the checks. Changes nothing.

    `options`: as for Subject. Raises UserError when several clusters have the name, and CloudError
    when not even the cluster can be asked for.
    """
    subject = await Subject.of(run, options)
    applicable = [check for check in checks if subject.found or not check.needs_cluster]
    found: dict[str, list[Finding]] = {}
    unchecked: dict[str, str] = {}

    async def look(check: Check) -> None:
        try:
            with anyio.fail_after(CHECK_TIMEOUT):
                found[check.name] = await check.look(subject)
        except TimeoutError:
            unchecked[check.name] = f"no answer in {CHECK_TIMEOUT} s"
        except ZeroJHubError as error:
            unchecked[check.name] = str(error)

    async with task_group() as tasks:
        for check in applicable:
            tasks.start_soon(look, check)
    names = [check.name for check in applicable]
    return Diagnosis(
        str(subject),
        list(dict.fromkeys(finding for name in names for finding in found.get(name, []))),
        [Unchecked(name, unchecked[name]) for name in names if name in unchecked],
    )


async def repair(run: Run, options: str | None, agreed: Collection[Fix], say: Say) -> tuple[list[str], list[Unchecked]]:
    """Do what was agreed to, as far as another look still finds it. Returns what was done, and what failed and why."""
    done, failed = [], []
    for fix in (await examine(run, options)).fixes:
        if fix not in agreed:
            continue
        say(fix.what)
        try:
            await fix.act()
            done.append(fix.what)
        except ZeroJHubError as error:
            failed.append(Unchecked(fix.what, str(error)))
    return done, failed
