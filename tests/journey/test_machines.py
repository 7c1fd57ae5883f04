"""Real machines built from namespaces: they boot, accept SSH logins, reach each other, and leave no trace."""

from __future__ import annotations

import asyncio
import errno
import os
import subprocess
import uuid
from pathlib import Path

import pytest

from tests.journey.traces import disks, traces
from zerojhub.practice import build, daemon
from zerojhub.practice.ground import GroundError, Listener, MachineSpec
from zerojhub.practice.machines.linux import LinuxGround


@pytest.fixture
def ground(tmp_path: Path):
    before = traces()
    with daemon.alone():
        yield LinuxGround(tmp_path, build.built(), 9581)
    assert traces() == before
    assert disks(tmp_path) == []


def spec(ground: LinuxGround, number: int, key: str = "") -> MachineSpec:
    ident = str(uuid.uuid4())
    address = ground.gateway.rpartition(".")[0] + f".{10 + number}"
    return MachineSpec(ident, f"machine-{number}", address, "core", (key,), ident.replace("-", ""))


async def ssh(folder: Path, address: str, *command: str) -> str:
    """The output of a command over SSH, with the host key verified against the console log."""
    argv = ["ssh", "-F", "none", "-i", folder / "key"]
    argv += ["-o", f"UserKnownHostsFile={folder / 'known'}", "-o", "ConnectTimeout=10"]
    argv += ["-o", "StrictHostKeyChecking=yes", "-o", "BatchMode=yes", f"core@{address}", *command]
    process = await asyncio.create_subprocess_exec(
        *map(str, argv),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, err.decode()
    return out.decode()


def test_a_machine_boots_lets_its_owner_in_and_leaves_nothing(ground: LinuxGround, tmp_path: Path):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key"], check=True, timeout=30)

    async def life() -> None:
        await ground.up()
        try:
            machine = spec(ground, 1, (tmp_path / "key.pub").read_text())
            await ground.boot(machine)
            assert ground.alive(machine.id)

            floating = ground.public_network.replace(".0/24", ".7")
            await ground.route(floating, machine.address)
            keys = ground.console(machine.id).split("-----BEGIN SSH HOST KEY KEYS-----\n")[1].split("-----END")[0]
            (tmp_path / "known").write_text("".join(f"{floating} {line}\n" for line in keys.splitlines()))

            who = await ssh(
                tmp_path, floating, "id -un; hostname; sudo cat /sys/class/dmi/id/product_uuid /etc/machine-id"
            )
            assert who.split() == ["core", machine.name, machine.id, machine.machine_id]
            processes = await ssh(tmp_path, floating, "ps -e -o comm=")
            assert "s6-svscan" in processes
            assert "python" not in processes

            # Of what this machine serves, a machine reaches the practice cloud's port and no other.
            for port, reachable in ((9581, True), (9582, False)):
                server = await asyncio.start_server(lambda _, writer: writer.close(), "0.0.0.0", port)
                reach = f"exec 3<>/dev/tcp/{ground.gateway}/{port} && echo reached"
                answer = await ssh(tmp_path, floating, f"bash -c '{reach}' || echo refused")
                assert answer == ("reached\n" if reachable else "refused\n")
                server.close()

            await ground.unroute(floating)
            with pytest.raises(OSError) as refusal:
                await asyncio.open_connection(floating, 22)
            assert refusal.value.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH)
            await ground.halt(machine.id)
            assert not ground.alive(machine.id)
            await ground.halt(machine.id)
        finally:
            await ground.down()

    asyncio.run(life())


def test_a_machine_is_switched_off_and_on_with_its_disk_and_its_addresses(ground: LinuxGround):
    async def greeting(address: str) -> bytes:
        reader, writer = await asyncio.wait_for(asyncio.open_connection(address, 22), 5)
        try:
            return await asyncio.wait_for(reader.readline(), 5)
        finally:
            writer.close()

    async def life() -> None:
        await ground.up()
        try:
            machine, more = spec(ground, 1), spec(ground, 2).address
            await ground.boot(machine)
            await ground.plug(machine.id, more)
            await ground.make_volume("a-volume", 1)
            await ground.attach_volume("a-volume", machine.id, "/dev/vdb")
            await ground._machines[machine.id].run("sh", "-c", "echo kept >/root/file && echo there >/dev/vdb")
            assert (await greeting(more)).startswith(b"SSH-")

            await ground.stop(machine.id)
            await ground.stop(machine.id)
            assert not ground.alive(machine.id)
            for address in (machine.address, more):
                with pytest.raises((OSError, TimeoutError)):
                    await greeting(address)
            assert f"{machine.name} login:" in ground.console(machine.id)

            await ground.start(machine.id)
            await ground.start(machine.id)
            assert await ground._machines[machine.id].run("cat", "/root/file") == "kept\n"
            assert await ground._machines[machine.id].run("head", "-c6", "/dev/vdb") == "there\n"
            assert (await greeting(more)).startswith(b"SSH-")
            assert ground.console(machine.id).count(f"Booting {machine.name}\n") == 2

            await ground.unplug(machine.id, machine.address)
            assert (await greeting(more)).startswith(b"SSH-")
            with pytest.raises((OSError, TimeoutError)):
                await greeting(machine.address)

            await ground.rebuild(machine)
            assert await ground._machines[machine.id].run("ls", "/root") == ""
            assert await ground._machines[machine.id].run("head", "-c6", "/dev/vdb") == "there\n"
            assert (await greeting(machine.address)).startswith(b"SSH-")
            await ground.stop(machine.id)
            await ground.halt(machine.id)
        finally:
            await ground.down()

    asyncio.run(life())


async def take_a_volume_along(ground: LinuxGround, one: MachineSpec, two: MachineSpec) -> None:
    """A volume moves from one machine to another, and a copy keeps the contents of the moment it was made."""
    first, second, copy = ground._machines[one.id], ground._machines[two.id], str(uuid.uuid4())
    volume = str(uuid.uuid4())
    by_id = f"/dev/disk/by-id/virtio-{volume[:20]}"
    await ground.make_volume(volume, 1)
    await ground.attach_volume(volume, one.id, "/dev/vdb")
    await first.run("mkfs.ext4", "-q", by_id)
    await first.run("mount", by_id, "/mnt")
    await first.run("sh", "-c", "echo hello >/mnt/file && sync -f /mnt/file")
    await ground.make_volume(copy, 2, like=volume)
    # As when a node is lost: what still has it mounted there writes nothing more to it.
    await ground.detach_volume(volume, one.id)
    assert await first.run("sh", "-c", "echo late >/mnt/file; sync -f /mnt/file || echo refused") == "refused\n"
    with pytest.raises(GroundError):
        await first.run("cat", by_id)

    await ground.attach_volume(volume, two.id, "/dev/vdb")
    await ground.attach_volume(copy, two.id, "/dev/vdc")
    assert await second.run("sh", "-c", f"mount {by_id} /mnt && cat /mnt/file && umount /mnt") == "hello\n"
    assert await second.run("sh", "-c", "mount /dev/vdc /mnt && cat /mnt/file && umount /mnt") == "hello\n"
    await ground.grow_volume(copy, 3)
    assert await second.run("blockdev", "--getsize64", "/dev/vdc") == f"{3 * 2**30}\n"
    for ident in (volume, copy):
        await ground.detach_volume(ident, two.id)
        await ground.remove_volume(ident)


def test_volumes_are_disks_and_the_balancer_sends_to_each(ground: LinuxGround, tmp_path: Path):
    async def life() -> None:
        await ground.up()
        try:
            one, two = spec(ground, 1), spec(ground, 2)
            await asyncio.gather(ground.boot(one), ground.boot(two))
            machines = ground._machines

            await take_a_volume_along(ground, one, two)

            virtual = one.address.replace(".11", ".99")
            await ground.balance(virtual, (Listener(2222, ((one.address, 22), (two.address, 22))),))
            answers = set()
            for _ in range(40):
                scan = await asyncio.create_subprocess_exec(
                    *("ssh-keyscan", "-t", "ed25519", "-p", "2222", virtual),
                    stdout=asyncio.subprocess.PIPE,
                    stderr=asyncio.subprocess.DEVNULL,
                )
                answers.add((await scan.communicate())[0].split()[-1])
                if len(answers) == 2:
                    break
            assert len(answers) == 2
            # From a machine, too; and a port that nobody listens on is refused at once.
            greeting = f"exec 3<>/dev/tcp/{virtual}/2222 && head -c 4 <&3"
            assert await machines[one.id].run("bash", "-c", greeting) == "SSH-"
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection(virtual, 22)
            await ground.unbalance(virtual)
        finally:
            await ground.down()

    asyncio.run(life())


def test_what_a_killed_daemon_left_is_cleared_away(ground: LinuxGround, tmp_path: Path):
    async def die() -> None:
        await ground.up()
        machine = spec(ground, 1)
        await ground.boot(machine)
        await ground.make_volume("a-volume", 1)
        await ground.attach_volume("a-volume", machine.id, "/dev/vdb")
        await ground._machines[machine.id].run("sh", "-c", "mkfs.ext4 -q /dev/vdb && mount /dev/vdb /mnt")
        os._exit(9)

    child = os.fork()
    if not child:
        asyncio.run(die())
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert any("s6-svscan" in line for line in traces()["ps -eo args"])
    assert len(disks(tmp_path)) == 1

    async def recover() -> None:
        await ground.up()
        await ground.boot(spec(ground, 1))
        await ground.down()

    asyncio.run(recover())


def test_an_unknown_kubernetes_is_refused(ground: LinuxGround):
    from zerojhub.practice.ground import KubernetesSpec

    wanted = KubernetesSpec("id", "c", "v1.99.0", (), "")
    with pytest.raises(GroundError, match=r"v1\.99\.0 has not been built \(available: v1\."):
        asyncio.run(ground.start_cluster(wanted))
