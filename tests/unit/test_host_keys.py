"""Pinned SSH host keys, in the known_hosts file that OpenSSH reads too."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from zerojhub.machine.host_keys import HostKeys, fingerprint, only_fingerprints
from zerojhub.machine.ssh_login import Pins

OLD, NEW = "11111111-aaaa-4bbb-8ccc-000000000001", "22222222-aaaa-4bbb-8ccc-000000000002"
ADDRESS = "203.0.113.7"

KINDS: dict[str, Callable[[], Ed25519PrivateKey | EllipticCurvePrivateKey | RSAPrivateKey]] = {
    "ed25519": Ed25519PrivateKey.generate,
    "ecdsa": lambda: ec.generate_private_key(ec.SECP256R1()),
    "rsa": lambda: rsa.generate_private_key(65537, 2048),
}


def make_key(folder: Path, name: str, kind: str = "ed25519") -> str:
    """A new host key, as the line without a comment; its public half is in `name.pub`."""
    line = KINDS[kind]().public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    (folder / f"{name}.pub").write_text(line)
    return line


@pytest.fixture
def pins(tmp_path: Path) -> HostKeys:
    return HostKeys(tmp_path / "known_hosts")


def test_a_server_without_pins_has_none(pins: HostKeys):
    assert pins.pinned(ADDRESS, OLD) == []


def test_the_keys_of_a_server_are_those_that_were_pinned(pins: HostKeys, tmp_path: Path):
    keys = [make_key(tmp_path, "a"), make_key(tmp_path, "b", "ecdsa")]
    pins.pin(ADDRESS, OLD, keys)
    assert HostKeys(pins.path).pinned(ADDRESS, OLD) == keys


def test_another_server_at_the_address_has_keys_of_its_own_and_replaces_the_old_ones(pins: HostKeys, tmp_path: Path):
    old, new = make_key(tmp_path, "old"), make_key(tmp_path, "new")
    pins.pin(ADDRESS, OLD, [old])
    assert pins.pinned(ADDRESS, NEW) == []
    pins.pin(ADDRESS, NEW, [new])
    assert (pins.pinned(ADDRESS, NEW), pins.pinned(ADDRESS, OLD)) == ([new], [])


def test_pins_of_other_addresses_stay_also_of_one_that_begins_alike(pins: HostKeys, tmp_path: Path):
    one, two = make_key(tmp_path, "one"), make_key(tmp_path, "two")
    pins.pin("10.0.0.10", OLD, [one])
    pins.pin("10.0.0.1", NEW, [two])
    assert (pins.pinned("10.0.0.10", OLD), pins.pinned("10.0.0.1", NEW)) == ([one], [two])


@pytest.mark.host
def test_openssh_finds_a_pin_and_the_command_of_an_error_removes_it(pins: HostKeys, tmp_path: Path):
    key = make_key(tmp_path, "a")
    pins.pin(ADDRESS, OLD, [key])
    pins.pin("10.0.0.1", NEW, [key])
    found = subprocess.run(["ssh-keygen", "-F", ADDRESS, "-f", pins.path], capture_output=True, text=True)
    assert key in found.stdout
    subprocess.run(shlex.split(pins.removal(ADDRESS)), check=True, capture_output=True)
    assert (pins.pinned(ADDRESS, OLD), pins.pinned("10.0.0.1", NEW)) == ([], [key])


@pytest.mark.host
@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_a_fingerprint_is_openssh_s_and_verifies_the_same_key(tmp_path: Path, kind: str):
    key = make_key(tmp_path, "a", kind)
    listed = subprocess.run(["ssh-keygen", "-lf", tmp_path / "a.pub"], capture_output=True, text=True, check=True)
    assert fingerprint(key) == listed.stdout.split()[1]
    assert Pins.of([key]).fingerprints == Pins.of([fingerprint(key)]).fingerprints == {fingerprint(key)}
    # A line of known_hosts has the address before the key.
    assert Pins.of([f"{ADDRESS} {key} {OLD}"]).fingerprints == {fingerprint(key)}


def test_fingerprints_alone_are_told_from_keys(tmp_path: Path):
    key = make_key(tmp_path, "a")
    assert only_fingerprints([fingerprint(key)])
    assert not only_fingerprints([fingerprint(key), key])
