"""Mistakes in a practice cloud profile: each is reported in one line, with file, line and a suggestion."""

from __future__ import annotations

from pathlib import Path

import pytest

from zerojhub.errors import UserError
from zerojhub.practice import profile

WHOLE = (profile.FOLDER / "magnum-heat.yaml").read_text()


@pytest.mark.parametrize("name", profile.names())
def test_every_profile_that_comes_along_is_sound(name: str) -> None:
    loaded = profile.load(name)
    assert loaded.description
    assert loaded.templates


@pytest.mark.parametrize(
    ("before", "after", "line", "said"),
    [
        ("vcpus: 1,", "vcpu: 1,", "vcpu: 1", "unknown key 'flavors.0.vcpu' (did you mean 'vcpus'?)"),
        (
            "kind: heat",
            "kind: mesos",
            "kind: mesos",
            "drivers.0.kind: must be 'heat' or 'cluster-api', not 'mesos'",
        ),
        (
            "type: compute",
            "type: computer",
            "type: computer",
            "services.2.type: the practice cloud has volumev3, block-storage, dns, image, orchestration, identity",
        ),
        ("image: fedora-atomic-29", "image: fedora", "image: fedora", "no image 'fedora'"),
        ("flavor: m1.small", "flavor: m9", "flavor: m9", "no flavor 'm9'"),
        (
            "os_distros: [fedora-atomic]",
            "os_distros: [ubuntu]",
            "os_distro: fedora-atomic",
            "no driver supports os_distro 'fedora-atomic'",
        ),
        ("- {type: image, name: glance}\n", "", "services:", "services: image is missing"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, before: str, after: str, line: str, said: str) -> None:
    path = tmp_path / "mine.yaml"
    assert before in WHOLE
    path.write_text(WHOLE.replace(before, after, 1))
    with pytest.raises(UserError) as caught:
        profile.load(path)
    told = next(told for told in str(caught.value).splitlines() if said in told)
    number = int(told.removeprefix(f"{path}:").partition(":")[0])
    assert line in path.read_text().splitlines()[number - 1]


def test_a_name_that_is_none_is_told_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="did you mean 'magnum-heat'"):
        profile.load("magnum-haet")
