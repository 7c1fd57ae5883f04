"""A machine's own files, written to the upper layer of its root before it boots; the lower layer is shared."""

from __future__ import annotations

import os
from pathlib import Path

from zerojhub.practice.ground import MachineSpec
from zerojhub.practice.machines.hostkeys import HostKey

SYSTEMS = {
    "core": (
        'NAME="Fedora Linux"\nVERSION="38.20230806.3.0 (CoreOS)"\nID=fedora\nVERSION_ID=38\nVARIANT="CoreOS"\n'
        'VARIANT_ID=coreos\nPRETTY_NAME="Fedora CoreOS 38.20230806.3.0"\nOSTREE_VERSION="38.20230806.3.0"\n'
    ),
    "fedora": (
        'NAME=Fedora\nVERSION="29.20191126.0 (Atomic Host)"\nID=fedora\nVERSION_ID=29\nVARIANT="Atomic Host"\n'
        'VARIANT_ID=atomic.host\nPRETTY_NAME="Fedora 29.20191126.0 (Atomic Host)"\nOSTREE_VERSION="29.20191126.0"\n'
    ),
    "ubuntu": (
        'NAME="Ubuntu"\nVERSION="22.04.5 LTS (Jammy Jellyfish)"\nID=ubuntu\nID_LIKE=debian\nVERSION_ID="22.04"\n'
        'VERSION_CODENAME=jammy\nPRETTY_NAME="Ubuntu 22.04.5 LTS"\n'
    ),
}
"""/etc/os-release by the image's login user. Kubernetes shows it as the node's OS image."""

UID = 1000
CONTAINERD = """\
version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "registry.k8s.io/pause:3.10"
  # Not every machine may raise a priority against the kernel's out-of-memory killer.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "/etc/cni/net.d"
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "/etc/containerd/certs.d"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
"""
SYSTEMCTL = """\
#!/bin/sh
# The most common systemctl commands, for services that s6 supervises.
verb=$1
shift
for unit; do
	service=/etc/service/${unit%.service}
	[ -d "$service" ] || { echo "Failed to $verb $unit: Unit $unit not found." >&2; exit 5; }
	case $verb in
	start) s6-svc -u "$service" ;;
	stop) s6-svc -wd -d "$service" ;;
	restart) s6-svc -r "$service" ;;
	is-active) [ "$(s6-svstat -o up "$service")" = true ] && echo active || { echo inactive; exit 3; } ;;
	status) s6-svstat "$service" ;;
	*) echo "Unknown command verb '$verb'." >&2; exit 1 ;;
	esac
done
"""
ENVIRONMENT = """\
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
KUBECONFIG=/etc/kubernetes/admin.conf
LANG=C.UTF-8
"""


def write(upper: Path, base: Path, spec: MachineSpec, keys: list[HostKey], registry: str) -> None:
    """Write the upper layer. `registry` is the URL of the image registry that mirrors all others."""

    def put(path: str, text: str | bytes, mode: int = 0o644, uid: int = 0) -> None:
        file = upper / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode() if isinstance(text, str) else text)
        file.chmod(mode)
        os.chown(file, uid, uid)

    user, home = spec.login, f"/home/{spec.login}"
    put("etc/hostname", f"{spec.name}\n")
    put("etc/hosts", f"127.0.0.1 localhost\n::1 localhost\n{spec.address} {spec.name}\n")
    put("etc/machine-id", f"{spec.machine_id}\n", 0o444)
    put("etc/resolv.conf", _nameservers())
    put("etc/environment", ENVIRONMENT)
    put("etc/os-release", SYSTEMS.get(user, SYSTEMS["core"]))

    accounts = {name: (base / "etc" / name).read_text() for name in ("passwd", "group", "shadow")}
    put("etc/passwd", accounts["passwd"] + f"{user}:x:{UID}:{UID}::{home}:/bin/bash\n")
    put("etc/group", accounts["group"].replace("\nsudo:x:27:", f"\nsudo:x:27:{user}") + f"{user}:x:{UID}:\n")
    put("etc/shadow", accounts["shadow"] + f"{user}:*:19700:0:99999:7:::\n", 0o640)
    put("etc/sudoers.d/image-user", f"Defaults env_keep += KUBECONFIG\n{user} ALL=(ALL) NOPASSWD:ALL\n", 0o440)
    for skeleton in (".bashrc", ".profile"):
        put(f"home/{user}/{skeleton}", (base / "etc/skel" / skeleton).read_text(), uid=UID)
    put(f"home/{user}/.ssh/authorized_keys", "".join(f"{key.strip()}\n" for key in spec.public_keys), 0o600, UID)
    for folder in (f"home/{user}", f"home/{user}/.ssh"):
        os.chown(upper / folder, UID, UID)
        (upper / folder).chmod(0o700)

    for key in keys:
        put(f"etc/ssh/ssh_host_{key.kind}_key", key.private, 0o600)
        put(f"etc/ssh/ssh_host_{key.kind}_key.pub", f"{key.public} root@{spec.name}\n")
    put("etc/motd", "")

    put("usr/local/bin/systemctl", SYSTEMCTL, 0o755)
    put("etc/containerd/config.toml", CONTAINERD)
    mirror = f'server = "{registry}"\n[host."{registry}"]\n  capabilities = ["pull", "resolve"]\n'
    put("etc/containerd/certs.d/_default/hosts.toml", mirror)


def _nameservers() -> str:
    """The host's name servers, except those that only the host can reach."""
    for file in ("/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"):
        if Path(file).exists():
            lines = [
                line
                for line in Path(file).read_text().splitlines()
                if line.startswith("nameserver") and not line.split()[1].startswith(("127.", "::1"))
            ]
            if lines:
                return "\n".join(lines) + "\n"
    return ""
