"""What `doctor` has found, as text: what is wrong, why it matters, what to do, and what could not be looked at."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from zerojhub.doctor.finding import Diagnosis, Fix, Unchecked
from zerojhub.report.plain import print
from zerojhub.report.results import Output, show
from zerojhub.text import one_line, plural


def show_diagnosis(
    diagnosis: Diagnosis,
    output: Output,
    *,
    fixed: Sequence[str] | None = None,
    failed: Sequence[Unchecked] = (),
    again: str,
) -> None:
    """All findings, then what could not be checked. `fixed`: what --fix has done, `failed`: what it could not do.

    `again`: the command that repairs what can be repaired.
    """

    def people() -> None:
        for what in fixed or ():
            print(f"fixed: {what}")
        for each in failed:
            print(f"not fixed: {each.check}: {one_line(each.reason)}")
        for finding in diagnosis.findings:
            ident = f" ({finding.id})" if finding.id and finding.id != finding.name else ""
            print(f"{finding.kind} {finding.name}{ident}: {one_line(finding.problem)}")
            print(f"  why: {finding.why}")
            print(f"  do:  {finding.do}")
            if finding.fix:
                print(f"  fix: {finding.fix.what}")
        for reason, checks in _by_reason(diagnosis.unchecked).items():
            print(f"could not check {', '.join(checks)}: {one_line(reason)}")
        print(_summary(diagnosis))
        if diagnosis.fixes:
            print(f"next: {again}")

    data: dict[str, object] = {
        "looked_at": diagnosis.looked_at,
        "findings": [each.as_data() for each in diagnosis.findings],
        "unchecked": diagnosis.unchecked,
    }
    if fixed is not None:
        data |= {"fixed": list(fixed), "not_fixed": [{"fix": each.check, "reason": each.reason} for each in failed]}
    show(data, output, people)


def show_fixes(fixes: Sequence[Fix]) -> None:
    """What is going to be done, on standard error: the question that follows is about it."""
    for fix in fixes:
        print(f"would {fix.what}", file=sys.stderr)


def _by_reason(unchecked: Sequence[Unchecked]) -> dict[str, list[str]]:
    """One reason, such as a cluster that does not answer, can keep many checks from looking."""
    grouped: dict[str, list[str]] = {}
    for each in unchecked:
        grouped.setdefault(each.reason, []).append(each.check)
    return grouped


def _summary(diagnosis: Diagnosis) -> str:
    found = plural(len(diagnosis.findings), "problem") if diagnosis.findings else "nothing wrong"
    rest = f"; {plural(len(diagnosis.unchecked), 'check')} could not look" if diagnosis.unchecked else ""
    return f"{diagnosis.looked_at}: {found}{rest}"
