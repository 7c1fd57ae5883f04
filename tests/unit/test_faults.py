"""Which requests meet a fault of the practice cloud."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from tests.command import run
from tests.conftest import ROOT
from zerojhub.errors import UserError
from zerojhub.practice.faults import BREAKS, Break, Breakage, Fault, Faults, What, of
from zerojhub.report.practice import show_faults
from zerojhub.report.results import Output

LIST, SHOW = "/container-infra/v1/clusters", "/container-infra/v1/clusters/hub"


def met(faults: Faults, *requests: str, service: str = "container-infra") -> list[What | None]:
    faulty = [faults.meet(service, *request.split()) for request in requests]
    return [fault.what if fault else None for fault in faulty]


def faults(*those: Fault) -> Faults:
    made = Faults()
    for fault in those:
        made.add(fault)
    return made


@pytest.mark.parametrize(
    ("options", "failing"),
    [
        ({}, [1]),
        ({"first": 3}, [3]),
        ({"first": 2, "count": 2}, [2, 3]),
        ({"first": 4, "count": None}, [4, 5]),
    ],
)
def test_requests_are_counted(options, failing):
    answers = met(faults(Fault("container-infra", What.unavailable, **options)), *[f"GET {LIST}"] * 5)
    assert [number for number, what in enumerate(answers, 1) if what] == failing


def test_only_requests_that_match_are_counted():
    made = faults(Fault("container-infra", What.unavailable, method="GET", path="*/clusters", first=2))
    assert met(made, f"GET {LIST}", f"POST {LIST}", f"GET {SHOW}") == [None, None, None]
    assert met(made, f"GET {LIST}", service="compute") == [None]
    assert met(made, f"GET {LIST}", f"GET {LIST}") == [What.unavailable, None]
    [fault] = made.active
    assert (fault.matched, fault.fired) == (3, 1)


def test_of_two_faults_that_are_due_the_first_happens():
    made = faults(Fault("compute", What.hang), Fault("compute", What.slow), Fault("compute", What.too_many, first=2))
    assert met(made, "GET /compute/v2.1", "GET /compute/v2.1", service="compute") == [What.hang, What.too_many]
    made.clear(1)
    assert [fault.id for fault in made.active] == [2, 3]
    made.clear()
    assert made.active == []


@pytest.mark.parametrize("name", ["volume", "volumev3", "block-storage"])
def test_a_service_is_known_by_each_of_its_names(name):
    assert Fault(name, What.hang).matches("volume", "GET", "/volume/v3")


@pytest.mark.parametrize(
    ("service", "what", "options", "message"),
    [
        ("magnum", What.hang, {}, "unknown service magnum .*container-infra"),
        ("hub", What.token_expired, {}, "token-expired is for OpenStack services"),
        ("compute", What.hang, {"retry_after": 1}, "--retry-after is for 500, 502, 503, 429"),
        ("compute", What.hang, {"seconds": 1}, "--seconds is for slow"),
    ],
)
def test_a_fault_that_cannot_happen_is_refused(service, what, options, message):
    with pytest.raises(UserError, match=message):
        Fault(service, what, **options)


def test_the_list_says_which_requests_fail_and_how_often(capsys):
    made = faults(
        Fault("container-infra", What.unavailable, method="GET", path="*/clusters", first=2, count=3),
        Fault("hub", What.hang, count=None),
    )
    met(made, f"GET {LIST}", f"GET {LIST}")
    show_faults([asdict(fault) for fault in made.active], Output.table)
    header, *rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert header == ["ID", "SERVICE", "OF", "WHAT", "CALLS", "MATCHED", "FIRED"]
    assert rows == [
        ["1", "container-infra", "GET", "*/clusters", "503", "2", "to", "4", "2", "1"],
        ["2", "hub", "any", "*", "hang", "from", "1", "0", "0"],
    ]


@pytest.mark.parametrize(
    ("options", "breaking"),
    [({}, [1]), ({"first": 2}, [2]), ({"first": 2, "count": 2}, [2, 3]), ({"first": 3, "count": None}, [3, 4])],
)
def test_of_the_next_resources_those_break_that_are_asked_for(options, breaking):
    made = Faults()
    made.add(Breakage("compute", Break.no_boot, **options))
    made.add(Breakage("compute", Break.quota))
    broken = [number for number in range(1, 5) if made.breaks("compute", Break.no_boot)]
    assert broken == breaking
    assert not made.breaks("compute", Break.no_valid_host)
    assert made.meet("compute", "GET", "/compute/v2.1") is None
    assert (made.active[0].matched, made.active[0].fired) == (4, len(breaking))


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"service": "volume", "what": "off"}, "off is for compute, not for volume"),
        ({"service": "volume", "what": "lost"}, "lost is of one volume: name it"),
        ({"service": "network", "what": "no-addresses", "name": "public"}, "leave out public"),
        ({"service": "computer", "what": "off"}, "unknown service computer"),
    ],
)
def test_a_breakage_that_does_not_exist_is_refused(fields, why):
    with pytest.raises(UserError, match=why):
        of(**fields)


def test_services_may_be_called_by_their_other_names():
    assert of(service="block-storage", what="reserved", name="pvc").service == "volume"
    assert set(BREAKS) <= {of(service=name, what="500").service for name in BREAKS}


def test_what_breaks_is_listed_beside_the_requests_that_fail(capsys):
    made = Faults()
    made.add(Breakage("volume", Break.detaching, "pvc-1"))
    made.add(Breakage("compute", Break.no_boot, first=2, count=None))
    show_faults([asdict(each) for each in made.active], Output.table)
    _, *rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert rows[0][:4] == ["1", "volume", "pvc-1", "detaching"]
    assert rows[1][:5] == ["2", "compute", "no-boot", "from", "2"]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("compute", "no-bot"), "unknown fault no-bot (did you mean no-boot?)"),
        (("compute", "503", "nine"), "503 is of requests: leave out nine"),
        (("compute", "off", "nine", "--method", "GET"), "are for requests, not for off"),
        (("compute", "off"), "off is of one server: name it"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused_by_the_command(words, why):
    assert why in run("practice", "fault", "add", *words, code=2).stderr


def test_the_guide_has_every_fault():
    guide = (ROOT / "docs" / "how-to" / "practice-faults.md").read_text()
    assert [what for what in (*What, *Break) if f"`{what}`" not in guide] == []
