"""Private keys as people have them: which one belongs to a keypair, and what is said of those that cannot be used."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from tests.unit.sshagent import ssh_agent
from zerojhub.errors import UserError
from zerojhub.machine import keyfiles, keys

if TYPE_CHECKING:
    from zerojhub.machine.keyfiles import Loaded

RSA = rsa.generate_private_key(65537, 1024)  # quick to load
EC = ec.generate_private_key(ec.SECP384R1())
ED25519 = ed25519.Ed25519PrivateKey.generate()
PEM, OPENSSH, PKCS1, PKCS8 = Encoding.PEM, PrivateFormat.OpenSSH, PrivateFormat.TraditionalOpenSSL, PrivateFormat.PKCS8
PLAIN = NoEncryption()


def locked(key: Loaded, layout: PrivateFormat) -> bytes:
    """The key with the passphrase "open sesame", which OpenSSH's format makes slow to try."""
    quick = OPENSSH.encryption_builder().kdf_rounds(1).build(b"open sesame")
    return key.private_bytes(PEM, layout, quick if layout is OPENSSH else BestAvailableEncryption(b"open sesame"))


FORMATS: dict[str, tuple[Loaded, PrivateFormat]] = {
    "OpenSSH RSA": (RSA, OPENSSH),
    "OpenSSH ECDSA": (EC, OPENSSH),
    "OpenSSH Ed25519": (ED25519, OPENSSH),
    "PKCS#1 RSA": (RSA, PKCS1),
    "SEC 1 ECDSA": (EC, PKCS1),
    "PKCS#8 RSA": (RSA, PKCS8),
    "PKCS#8 ECDSA": (EC, PKCS8),
    "PKCS#8 Ed25519": (ED25519, PKCS8),
}
LETTERS = (ED25519.private_bytes(PEM, OPENSSH, PLAIN)).decode()
SK = """\
-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAASgAAABpzay1zc2gtZWQyNTUxOUBvcGVuc3NoLmNvbQAAACCFo/k5
LU8863u66YC9eUO2170QduohPURkQnbLa/dczQAAAARzc2g6AAAA0C0vWaotL1mqAAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAA
-----END OPENSSH PRIVATE KEY-----
"""


def public(key: Loaded) -> str:
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def never(question: str) -> str:
    raise AssertionError(f"asked: {question}")


def no_terminal(question: str) -> None:
    return None


@pytest.fixture
def ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """~/.ssh of a person without an SSH agent, with what is usually there."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    folder = tmp_path / ".ssh"
    folder.mkdir(mode=0o700)
    (folder / "known_hosts").write_text(f"192.0.2.1 {public(EC)}\n" * 100)
    (folder / "config").write_text("Host *\n  User core\n")
    return folder


@pytest.fixture
def agent(ssh: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An SSH agent with the key of each type; a folder for more keys to add."""
    held = (key.private_bytes(PEM, OPENSSH, PLAIN) for key in (RSA, EC, ED25519))
    with ssh_agent(ssh / "agent", held, monkeypatch):
        yield ssh


@pytest.mark.parametrize("name", FORMATS)
def test_a_private_key_is_found_by_its_own_public_half(ssh: Path, name: str):
    key, layout = FORMATS[name]
    path = ssh / "mykey.pem"
    path.write_bytes(key.private_bytes(PEM, layout, PLAIN))
    found = keys.locate(f"{public(key)} Generated-by-Nova", "mykey", None, never)
    assert found.file == path
    assert str(found) == str(path)


CHANGES = {
    "Windows line ends": lambda text: text.replace("\n", "\r\n"),
    "no line end": lambda text: text.strip(),
    "text around it": lambda text: f"here is the key:\n\n{text}\nbye\n-----BEGIN JUNK-----\n",
    "indented": lambda text: "".join(f"    {line}\n" for line in text.splitlines()),
    "a byte order mark": lambda text: f"\ufeff{text}",
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("layout", [OPENSSH, PKCS1])
def test_what_surrounds_a_key_does_not_matter(ssh: Path, change: str, layout: PrivateFormat):
    text = RSA.private_bytes(PEM, layout, PLAIN).decode()
    (ssh / "mykey").write_bytes(CHANGES[change](text).encode())
    assert keys.locate(public(RSA), "mykey", None, never).file == ssh / "mykey"


def test_a_key_that_powershell_wrote_and_one_after_its_parameters(ssh: Path):
    (ssh / "a").write_text(LETTERS, encoding="utf-16")
    (ssh / "b").write_bytes(
        b"-----BEGIN EC PARAMETERS-----\nBgUrgQQAIg==\n-----END EC PARAMETERS-----\n"
        + EC.private_bytes(PEM, PKCS1, PLAIN)
    )
    assert keys.locate(public(ED25519), "mykey", None, never).file == ssh / "a"
    assert keys.locate(public(EC), "mykey", None, never).file == ssh / "b"


@pytest.mark.parametrize("name", ["OpenSSH RSA", "OpenSSH Ed25519", "PKCS#1 RSA", "PKCS#8 ECDSA", "PKCS#8 Ed25519"])
def test_the_passphrase_of_an_encrypted_key_is_asked_for_once(ssh: Path, name: str):
    key, layout = FORMATS[name]
    path = ssh / "mykey"
    path.write_bytes(locked(key, layout))
    asked: list[str] = []

    def person(question: str) -> str:
        asked.append(question)
        return "wrong" if len(asked) == 1 else "open sesame"

    for _ in range(2):  # in the preflight, and when the stage looks
        found = keys.locate(public(key), "mykey", None, person)
    assert (found.file, found.public) == (path, public(key))
    assert asked == [f"Passphrase of {path}: "] * 2


def test_without_a_terminal_the_agent_is_named(ssh: Path):
    (ssh / "mykey").write_bytes(locked(ED25519, OPENSSH))
    with pytest.raises(UserError, match=rf"{ssh}/mykey: .* has a passphrase \(no terminal .*: ssh-add {ssh}/mykey\)"):
        keys.locate(public(ED25519), "mykey", None, no_terminal)
    (ssh / "mykey").write_bytes(locked(ED25519, PKCS8))  # with no trace of its public half
    with pytest.raises(UserError, match=rf"tried {ssh}/mykey .*ssh-add {ssh}/mykey"):
        keys.locate(public(ED25519), "mykey", None, no_terminal)


def test_a_wrong_passphrase_is_an_error_and_says_nothing_of_what_was_typed(ssh: Path):
    (ssh / "mykey").write_bytes(locked(ED25519, OPENSSH))
    with pytest.raises(UserError, match="wrong passphrase") as caught:
        keys.locate(public(ED25519), "mykey", None, lambda question: "hunter2")
    assert "hunter2" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_no_passphrase_is_asked_for_keys_that_are_not_meant(ssh: Path):
    (ssh / "locked").write_bytes(locked(RSA, OPENSSH))
    (ssh / "old").write_bytes(locked(EC, PKCS1))
    (ssh / "old.pub").write_text(public(EC))
    (ssh / "mykey").write_bytes(ED25519.private_bytes(PEM, OPENSSH, PLAIN))
    assert keys.locate(public(ED25519), "mykey", None, never).file == ssh / "mykey"
    with pytest.raises(UserError, match="does not match keypair 'mykey'"):
        keys.locate(public(ED25519), "mykey", ssh / "locked", never)


@pytest.mark.host
def test_an_encrypted_key_in_the_agent_needs_no_passphrase(agent: Path):
    (agent / "mykey").write_bytes(locked(RSA, OPENSSH))
    found = keys.locate(public(RSA), "mykey", None, never)
    assert (found.file, found.loaded) == (agent / "mykey", None)
    assert keys.locate(public(RSA), "mykey", agent / "mykey", never) == found
    (agent / "mykey").unlink()
    assert str(keys.locate(public(RSA), "mykey", None, never)) == "in the SSH agent"


def putty(key: Loaded) -> str:
    body = public(key).split()[1]
    lines = [body[at : at + 64] for at in range(0, len(body), 64)]
    head = [f"PuTTY-User-Key-File-3: {public(key).split()[0]}", "Encryption: none", "Comment: mine"]
    return "\r\n".join([*head, f"Public-Lines: {len(lines)}", *lines, "Private-Lines: 1", "AAAA", "Private-MAC: 0", ""])


def test_a_putty_key_says_how_it_is_converted(ssh: Path):
    (ssh / "mykey.ppk").write_text(putty(ED25519))
    for given in (None, ssh / "mykey.ppk"):
        with pytest.raises(UserError) as caught:
            keys.locate(public(ED25519), "mykey", given, never)
        assert f"convert it: puttygen {ssh}/mykey.ppk -O private-openssh -o {ssh}/mykey" in str(caught.value)
    with pytest.raises(UserError, match="no private key on this machine matches"):
        keys.locate(public(RSA), "mykey", None, never)
    (ssh / "mykey").write_text(LETTERS)
    assert keys.locate(public(ED25519), "mykey", None, never).file == ssh / "mykey"


def test_what_cannot_be_used_is_passed_over(ssh: Path):
    (ssh / "id_ed25519_sk").write_text(SK)
    (ssh / "id_ed25519_sk.pub").write_text("sk-ssh-ed25519@openssh.com AAAA me\n")
    (ssh / "id_dsa").write_text("-----BEGIN DSA PRIVATE KEY-----\nMIIBugIBAAKBgQ==\n-----END DSA PRIVATE KEY-----\n")
    (ssh / "broken").write_text(LETTERS.replace("b3BlbnNzaC1rZXk", "b3BlbnNz"))
    (ssh / "cut").write_text(LETTERS[:150])
    (ssh / "short").write_text("\n".join([LETTERS.splitlines()[0], "b3BlbnNzaC1rZXktdjEA", LETTERS.splitlines()[-1]]))
    (ssh / "x25519").write_text(
        "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VuBCIEIKAv5g4S0lXGm0gPN8B1jZ0gB7mM6l4a1cFqJ0ZcQXZ3\n-----END PRIVATE KEY-----\n"
    )
    (ssh / "curve").write_bytes(ec.generate_private_key(ec.SECP256K1()).private_bytes(PEM, PKCS8, PLAIN))
    (ssh / "broken.ppk").write_text("PuTTY-User-Key-File-2: ssh-rsa\nPublic-Lines: many\n")
    (ssh / "binary").write_bytes(bytes(range(256)) * 10)
    (ssh / "empty").touch()
    (ssh / "folder").mkdir()
    (ssh / "loop").symlink_to("loop")
    (ssh / "gone").symlink_to("nowhere")
    os.mkfifo(ssh / "control")
    with (ssh / "huge").open("wb") as huge:
        huge.truncate(1 << 40)
    (ssh / "zz").write_text(LETTERS)
    assert keys.locate(public(ED25519), "mykey", None, never).file == ssh / "zz"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("gone", None, "no private key at {ssh}/gone (name its file: -i FILE"),
        ("empty", "\n", "the file is empty"),
        ("k.pub", "ssh-ed25519 AAAA me\n", "a public key, not a private key (the private key is {ssh}/k)"),
        ("k-cert.pub", "ssh-ed25519-cert-v01@openssh.com AAAA me\n", "a certificate, not a private key (the private"),
        (
            "ca.pem",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "a certificate, not a private key",
        ),
        ("text", "hello\n", "not a private key"),
        ("cut", LETTERS[:200], "damaged private key (its last lines are missing)"),
        ("bad", LETTERS.replace("b3BlbnNzaC1rZXk", "****"), "damaged private key"),
        ("sk", SK, "a FIDO key, which only the SSH agent can use (add it to the SSH agent: ssh-add {ssh}/sk)"),
        ("other", RSA.private_bytes(PEM, OPENSSH, PLAIN).decode(), "does not match keypair 'mykey'"),
    ],
)
def test_a_file_that_was_named_and_is_not_the_key_is_said_in_one_line(ssh: Path, name, content, said):
    (ssh / "k").write_text(LETTERS)
    if content is not None:
        (ssh / name).write_text(content)
    wanted = keyfiles.read(ssh / "sk").public if name == "sk" else public(ED25519)
    with pytest.raises(UserError) as caught:
        keys.locate(wanted or "", "mykey", ssh / name, never)
    assert said.format(ssh=ssh) in str(caught.value)
    assert str(ssh / name) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_named_folder_loop_pipe_or_giant_is_refused_at_once(ssh: Path):
    (ssh / "loop").symlink_to("loop")
    os.mkfifo(ssh / "pipe")
    with (ssh / "huge").open("wb") as huge:
        huge.truncate(1 << 40)
    for name, said in {
        ".": "a directory",
        "loop": "Too many levels of symbolic links",
        "pipe": "not a file",
        "huge": "too large",
    }.items():
        with pytest.raises(UserError, match=said):
            keys.locate(public(RSA), "mykey", ssh / name, never)


def test_a_damaged_private_half_is_an_error_of_the_user(ssh: Path):
    """The public half of OpenSSH's format is readable even then."""
    lines = LETTERS.splitlines()
    lines[-3] = lines[-3][:10] + "AAAAAAAAAA" + lines[-3][20:]
    (ssh / "mykey").write_text("\n".join(lines))
    with pytest.raises(UserError, match="damaged private key"):
        keys.locate(public(ED25519), "mykey", None, never)


def test_a_damaged_copy_or_another_keys_pub_file_does_not_hide_the_key(ssh: Path):
    lines = LETTERS.splitlines()
    lines[-3] = lines[-3][:10] + "AAAAAAAAAA" + lines[-3][20:]
    (ssh / "a").write_text("\n".join(lines))
    (ssh / "b").write_bytes(locked(EC, PKCS1))
    (ssh / "b.pub").write_text(public(ED25519))
    with pytest.raises(UserError, match=f"{ssh}/a: damaged private key"):
        keys.locate(public(ED25519), "mykey", None, lambda question: "open sesame")
    (ssh / "c").write_text(LETTERS)
    assert keys.locate(public(ED25519), "mykey", None, never).file == ssh / "c"


def test_without_any_key_the_options_are_named(ssh: Path):
    with pytest.raises(UserError, match=r"tried none in ~/.ssh and the SSH agent\) \(name its file: -i FILE"):
        keys.locate(public(ED25519), "mykey", None, never)
