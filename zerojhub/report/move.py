"""A move: what it is about, and what it has done."""

from __future__ import annotations

import sys
from pathlib import Path

from zerojhub.moving.plan import Plan, Progress
from zerojhub.moving.rehearsal import Rehearsed
from zerojhub.moving.switch import Finished, Moved
from zerojhub.report.plain import print
from zerojhub.report.results import Output, show, show_line, table
from zerojhub.text import elapsed, plural

NEXT = {
    Progress.to_do: "next: the same command without --plan moves the hub",
    Progress.under_way: "next: the same command without --plan continues, with --back it is undone",
    Progress.moved: "next: test the hub, then --finish deletes the old cluster; --back undoes the move",
}


def show_move_plan(plan: Plan, output: Output) -> None:
    """Who moves, what differs, and what to know before; what cannot work is an error."""
    result = {
        "progress": plan.progress,
        "people": len(plan.people),
        "downtime_seconds": plan.downtime_seconds,
        "through": plan.through,
        "volumes": plan.volumes,
        "differences": plan.differences,
        "remarks": plan.remarks,
        "problems": [str(problem) for problem in plan.problems],
    }

    def people() -> None:
        through = f", copied through {plan.through}" if plan.through else ""
        print(f"move: {plan.progress}; {plural(len(plan.volumes), 'volume')}, {plan.size_gb} GB{through}")
        table(plan.volumes, ("owner", "size_gb", "place", "volume"), empty="no volumes")
        print()
        table(plan.differences, ("what", "old", "new"), empty="nothing differs")
        for remark in plan.remarks:
            print(f"note: {remark}")
        if plan.progress in (Progress.to_do, Progress.under_way):
            print(f"expected: nobody can work for about {elapsed(plan.downtime_seconds)}")
        if not plan.problems and plan.progress in NEXT:
            print(NEXT[plan.progress])

    show(result, output, people)


def show_rehearsed(rehearsed: Rehearsed, output: Output) -> None:
    """Who has been tried, what differs, and how long the move is going to take."""
    plan = rehearsed.plan
    result = {
        "people": rehearsed.people,
        "install_seconds": rehearsed.install_seconds,
        "downtime_seconds": rehearsed.downtime_seconds,
        "differences": plan.differences,
        "remarks": plan.remarks,
    }

    def people() -> None:
        table(rehearsed.people, ("user", "files", "start_seconds"), empty="nobody has a volume")
        print()
        table(plan.differences, ("what", "old", "new"), empty="nothing differs")
        for remark in plan.remarks:
            print(f"note: {remark}")
        print(f"expected: nobody can work for about {elapsed(rehearsed.downtime_seconds)}")
        print("next: the same command without --rehearse moves the hub; the new cluster is there for it")

    show(result, output, people)


def show_moved(moved: Moved, output: Output, *, back: bool, quiet: bool) -> None:
    """Where the hub is now; the next step goes with the progress, so that scripts read nothing but the URL."""

    def people() -> None:
        for line in [] if quiet else _lines(moved, back=back):
            print(line, file=sys.stderr)
        print(f"url: {moved.url}")

    show(moved, output, people)


def _lines(moved: Moved, *, back: bool) -> list[str]:
    down = f", {elapsed(moved.downtime_seconds)} without a hub" if moved.downtime_seconds is not None else ""
    if moved.copied and back:
        return [
            f"the hub is back{down}",
            "what was written on the new cluster since is left there; zerojhub down deletes that cluster",
        ]
    done = "copied" if moved.copied else "moved"
    found = [f"{done} {plural(moved.volumes, 'volume')}{' back' if back else ''}{down}"]
    if moved.restored:
        found.append(
            "the accounts are those from before the move: the old hub cannot read what the new one has upgraded"
        )
    if back:
        found.append("next: the same command without --back moves the hub again; zerojhub down deletes the new cluster")
    else:
        found.append("next: test the hub, then --finish deletes the old cluster; --back undoes the move")
    return found


def show_finished(finished: Finished, old: str, file: Path, output: Output) -> None:
    """What is there, and what is left of the old deployment, whose file that is."""
    line = f"{old} is deleted; {plural(finished.volumes, 'volume')} of the new hub verified"
    if finished.copied:
        total = sum(each.size_gb for each in finished.kept)
        kept = f", {len(finished.kept)} with {total} GB," if finished.kept else ""
        line += f"; the old volumes{kept} are there as well; to delete them: zerojhub down --delete-data -f {file}"
    elif finished.kept:
        line += (
            f"; {plural(len(finished.kept), 'volume')} kept for {old}: {', '.join(each.id for each in finished.kept)}"
        )
    if finished.cluster:
        line += f"; cluster {finished.cluster} is not {old}'s alone, and stays"
    show_line(finished, output, line)
