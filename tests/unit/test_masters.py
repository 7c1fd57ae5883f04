"""Reading host keys from a server's console log, in every format that images print."""

from zerojhub.openstack.masters import parse_console

CLOUD_INIT = """\
[   14.1] cloud-init[712]: Generating public/private ed25519 key pair.
ci-info: | ssh-rsa | ab:cd | user@home |
<14>Nov 24 10:00:00 ec2: -----BEGIN SSH HOST KEY FINGERPRINTS-----
<14>Nov 24 10:00:00 ec2: 256 SHA256:aHc1yWmxZ0n8yqQ5m8m1Yz7g0f5rZKp3yJ2d6wXxYzA root@m (ED25519)
<14>Nov 24 10:00:00 ec2: -----END SSH HOST KEY FINGERPRINTS-----
-----BEGIN SSH HOST KEY KEYS-----
ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTY= root@m
ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJk2 root@m
-----END SSH HOST KEY KEYS-----
m login:
"""

COREOS = """\
Fedora CoreOS 38
SSH host key: SHA256:aHc1yWmxZ0n8yqQ5m8m1Yz7g0f5rZKp3yJ2d6wXxYzA (ED25519)
SSH host key: SHA256:bHc1yWmxZ0n8yqQ5m8m1Yz7g0f5rZKp3yJ2d6wXxYzA (ECDSA)
SSH host key: SHA256:aHc1yWmxZ0n8yqQ5m8m1Yz7g0f5rZKp3yJ2d6wXxYzA (ED25519)
m login:
"""


def test_cloud_init_prints_whole_keys():
    assert parse_console(CLOUD_INIT) == [
        "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTY=",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJk2",
    ]


def test_coreos_prints_fingerprints():
    assert parse_console(COREOS) == [
        "SHA256:aHc1yWmxZ0n8yqQ5m8m1Yz7g0f5rZKp3yJ2d6wXxYzA",
        "SHA256:bHc1yWmxZ0n8yqQ5m8m1Yz7g0f5rZKp3yJ2d6wXxYzA",
    ]


def test_a_log_that_was_cut_shows_none():
    assert parse_console("m login:\n") == []
    assert parse_console("-----BEGIN SSH HOST KEY KEYS-----\nssh-ed25519 AAAAC3Nz") == []
