"""Rotating the CA of a running cluster."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from tests.journey.test_upgrade_ground import WAIT, Kubectl, deployment, machine, running, until
from zerojhub.practice import build
from zerojhub.practice.ground import KubernetesSpec


def test_a_new_ca_is_everywhere_and_the_old_one_is_good_for_nothing(built: build.Built, tmp_path: Path):
    async def main() -> None:
        async with running(built, tmp_path) as ground:
            master, worker = machine(ground, "master", 0), machine(ground, "worker", 1)
            await asyncio.gather(ground.boot(master), ground.boot(worker))
            await ground.start_cluster(KubernetesSpec("c", "c", build.KUBERNETES, (master,), ""))
            await ground.join("c", worker)
            kubectl = Kubectl(ground, master)
            await kubectl("apply", "-f", "-", input=json.dumps(deployment("web", WAIT, 1)))
            (pod,) = await until(lambda: kubectl.pods("web"))
            old = ground.ca("c")
            await kubectl.machine.run("cp", "/etc/kubernetes/admin.conf", "/etc/kubernetes/old.conf")

            await ground.rotate_ca("c")

            assert ground.ca("c") != old
            assert await ground.ready("c") == {"master": True, "worker": True}
            refused = await kubectl("--kubeconfig=/etc/kubernetes/old.conf", "get", "nodes", check=False)
            assert refused == ""

            # The pod was replaced; logs come from the kubelet, whom the API server knows by the new CA.
            async def replaced() -> dict:
                return {name: place for name, place in (await kubectl.pods("web")).items() if name != pod}

            (name,) = await until(replaced)
            read = "cat /var/run/secrets/kubernetes.io/serviceaccount/ca.crt"
            assert (await kubectl("exec", name, "--", "sh", "-c", read)).strip() == ground.ca("c").strip()
            await ground.stop_cluster("c")

    asyncio.run(main())
