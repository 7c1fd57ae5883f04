"""A class of twenty outlives its clusters: `down` and `up` on each road and from one road to the other, again and again.

Everything that people have is compared with what they had on the first cluster: each file with its modes, times, links and
holes, passwords, tokens, administrators, and named servers. The volumes are filled and read by one pod that mounts all of
them, so that the files are compared as they are, before a server's start changes their group.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import anyio
import httpx
import pytest

from tests.conftest import GIVEN_CHARTS, Shell
from tests.journey.test_data import ROADS, Hub
from tests.waiting import until
from zerojhub.errors import ZeroJHubError
from zerojhub.hub.kernel import run_cell
from zerojhub.hub.login import log_in
from zerojhub.stages.kept import MOST_NAMED

PEOPLE = ["ada", "grace@example.org", "zoë.lovelace", "ada-b", "1st", *(f"user-{n}" for n in range(15))]
"""Names that KubeSpawner's versions write in different ways. The first three have started servers."""
FEW = 4
"""Those of them who are on a hub of a chart that was given."""
ADA, GRACE, ZOË = PEOPLE[:3]
FILE = """
name: keep
cloud: practice
cluster: {{template: {template}, workers: 1}}
hub: {{chart: {chart}, values: native.yaml, open_to_anyone: true}}
"""
VALUES = """
hub:
  allowNamedServers: true
  config:
    JupyterHub: {authenticator_class: native}
    NativeAuthenticator: {open_signup: true}
    Authenticator: {allow_all: true, admin_users: [ada]}
singleuser:
  memory: {guarantee: 64M, limit: 1G}
  cpu: {guarantee: 0.01}
  storage: {capacity: 1Gi}
scheduling: {userScheduler: {enabled: false}}
prePuller: {hook: {enabled: false}, continuous: {enabled: false}}
"""

CLAIMS = """
import asyncio, json, sys
from types import SimpleNamespace as Plain
from kubernetes_asyncio.client import ApiClient
from kubespawner import KubeSpawner
from traitlets.config import PyFileConfigLoader

FOLDERS = ["/usr/local/etc/jupyterhub", "/usr/local/etc/jupyterhub/chart"]

async def main():
    config = PyFileConfigLoader("jupyterhub_config.py", path=FOLDERS).load_config()
    hub = Plain(public_host="", url="", base_url="/", api_url="")
    async with ApiClient() as client:
        for name, server in json.loads(sys.argv[1]):
            of, user = Plain(name=server, server=None), Plain(name=name, id=1, url="/")
            spawner = KubeSpawner(config=config, hub=hub, user=user, orm_spawner=of)
            print(json.dumps(client.sanitize_for_serialization(spawner.get_pvc_manifest())))

asyncio.run(main())
"""
"""In the hub's pod: the claims that its own KubeSpawner would create for these users' servers."""

TOP = "work ünï 漢 🚀"
"""Everybody's folder."""
FILES = r"""
import hashlib, json, os, pathlib, sys

TOP = os.fsencode("work ünï 漢 🚀")

def fill(home, owner, big):
    top = pathlib.Path(home, os.fsdecode(TOP))
    (top / "deep" / "er").mkdir(parents=True)
    (top / "empty").touch()
    (top / "notes.txt").write_text(f"of {owner}\n" * 1000)
    (top / ("long " + "名" * 80)).write_bytes(os.urandom(5000))
    (top / os.fsdecode(b"latin-\xe9")).write_text("a name that is not UTF-8")
    os.link(top / "notes.txt", top / "deep" / "linked")
    os.symlink("../notes.txt", top / "deep" / "pointer")
    os.symlink("nowhere", top / "dangling")
    with open(top / "sparse", "wb") as sparse:
        sparse.seek(5 << 20); sparse.write(b"middle")
        sparse.truncate(20 << 20)
    if big:
        with open(top / "big", "wb") as file:
            for _ in range(200):
                file.write(os.urandom(1 << 20))
    for name, mode in (("notes.txt", 0o640), ("empty", 0o400), ("sparse", 0o755), ("deep", 0o2770), ("deep/er", 0o500)):
        os.chmod(top / name, mode)
    for number, path in enumerate([*sorted(top.rglob("*")), top]):
        os.lchown(path, 1000, 100)
        os.utime(path, ns=(0, 1_000_000_000_123_456_789 + number), follow_symlinks=False)

def read(home):
    found, inodes = {}, {}
    for folder, folders, names in os.walk(os.path.join(os.fsencode(home), TOP)):
        for path in [folder, *(os.path.join(folder, name) for name in [*folders, *names])]:
            about, name = os.lstat(path), os.path.relpath(path, os.fsencode(home)).decode(errors="backslashreplace")
            inodes.setdefault(about.st_ino, set()).add(name)
            if os.path.islink(path):
                content = os.readlink(path).decode()
            else:
                content = hashlib.sha256(open(path, "rb").read()).hexdigest() if os.path.isfile(path) else ""
            found[name] = {
                "mode": oct(about.st_mode), "owner": [about.st_uid, about.st_gid], "size": about.st_size,
                "modified": about.st_mtime_ns, "blocks": about.st_blocks, "content": content, "inode": about.st_ino,
            }
    for each in found.values():
        each["linked"] = sorted(inodes[each["inode"]])
    return found

for number, (owner, big) in enumerate(json.loads(sys.argv[1])):
    if big is not None:
        fill(f"/homes/{number}", owner, big)
os.sync()
for number, (owner, big) in enumerate(json.loads(sys.argv[1])):
    print(json.dumps([owner, read(f"/homes/{number}")]))
"""
"""Writes the files (unless `big` is null), and prints what there is on each volume."""


class Story(NamedTuple):
    """A hub and its clusters."""

    chart: str
    people: list[str]
    roads: list[str]
    """To one cluster after the other."""


STORIES = [
    Story("embedded", PEOPLE, ["ssh", "ssh", "api", "api"]),
    *(Story(chart, PEOPLE[:FEW], ["api", "api"]) for chart in GIVEN_CHARTS),
]
AGAIN = [(story, number) for story in STORIES for number in range(1, len(story.roads))]


class Servers(Hub):
    """The running hub, with servers that go on until they are stopped."""

    def start(self, user: str, server: str) -> None:
        self.ask("POST", _path(user, server))
        until(lambda: self.servers(user).get(server, {}).get("ready"))

    def cell(self, user: str, server: str, code: str) -> str:
        """Run a cell in the user's server."""
        token = self.ask("POST", f"/users/{quote(user)}/tokens", body={"expires_in": 600}).json()["token"]
        path = self.servers(user)[server]["url"].rstrip("/")
        return str(self.with_client(lambda client: run_cell(client, code), token, path))

    def stop(self, user: str, server: str) -> None:
        self.ask("DELETE", _path(user, server), check=False)
        until(lambda: not self.servers(user).get(server, {}).get("ready"))

    def servers(self, user: str) -> dict[str, Any]:
        found: dict[str, Any] = self.ask("GET", f"/users/{quote(user)}").json()["servers"]
        return found


def _path(user: str, server: str) -> str:
    return f"/users/{quote(user)}/servers/{server}" if server else f"/users/{quote(user)}/server"


class World:
    """The hub of a story, on the cluster that it has now, and what its people had on the first one."""

    def __init__(self, cloud: Shell, story: Story):
        self.cloud, self.story, self.number = cloud, story, 0
        self.servers = [*((user, "") for user in story.people), (ADA, "lab")]
        self.up()
        everybody(story.people, self.sign_up)
        self.hub.ask("PATCH", f"/users/{quote(GRACE)}", body={"admin": True})
        self.cookies = self.log_in_with_a_browser(ADA)
        self.tokens = {user: self.new_token(user) for user in story.people}
        started = [(ADA, "lab"), (ZOË, ""), (GRACE, "")]
        everybody(started, lambda each: self.hub.start(*each))
        wanted = zip(self.servers, self.claims, strict=True)
        missing = [json.dumps(claim) for server, claim in wanted if server not in started]
        self.kubectl("create", "-f", "-", input="\n".join(missing))
        self.files = self.read(fill=True)
        self.kept = self.owners = None
        everybody(started[:2], lambda each: self.hub.stop(*each))
        # A server that runs when the hub is deleted, with a file that nobody has told the kernel to write.
        self.hub.cell(GRACE, "", "open('last-words', 'w').write('saved')")

    def up(self) -> None:
        road = self.story.roads[self.number]
        self.file = f"{road}.yaml"
        (self.cloud.folder / "native.yaml").write_text(VALUES)
        (self.cloud.folder / self.file).write_text(FILE.format(template=ROADS[road], chart=self.story.chart))
        if self.number == 1:
            plan = self.cloud.json("plan", "-f", self.file, code=3)["stages"]
            self.plan = next(stage["detail"] for stage in plan if stage["name"] == "kept")
        self.url = self.cloud.json("up", "-f", self.file)["url"]
        self.hub = Servers(self.cloud, self.url)
        self._config = self.cloud.folder / f"kubeconfig-{Path(self.story.chart).stem}-{self.number}"
        self.cloud.zerojhub("cluster", "kubeconfig", "keep", "--to", self._config)
        printed = self.kubectl("exec", "deploy/hub", "--", "python3", "-c", CLAIMS, json.dumps(self.servers))
        self.claims = [json.loads(line) for line in printed.splitlines()]  # as its KubeSpawner would create them

    @property
    def is_last(self) -> bool:
        return self.number + 1 == len(self.story.roads)

    def again(self) -> None:
        """Delete the hub with its cluster, and bring it back on the next road."""
        self.kept = self.cloud.json("down", "-f", self.file, "--yes")["kept"]
        self.clusters = self.cloud.json("cluster", "list")
        self.number += 1
        if self.is_elsewhere:
            shutil.rmtree(Path(self.cloud.environment["XDG_STATE_HOME"]) / "zerojhub" / "deployments")
        self.up()

    @property
    def is_elsewhere(self) -> bool:
        """Was the hub brought back from another machine, which has none of its secrets?"""
        return self.number > 1

    def sign_up(self, user: str) -> None:
        page = f"{self.url}hub/signup"
        with httpx.Client(timeout=60) as browser:
            browser.get(page)
            token = next((each.value for each in browser.cookies.jar if each.name == "_xsrf"), "")
            fields = {"username": user, "_xsrf": token}
            fields |= dict.fromkeys(("signup_password", "signup_password_confirmation"), password(user))
            assert "The signup was successful" in browser.post(page, data=fields).text
        self.log_in(user)

    def log_in(self, user: str) -> None:
        anyio.run(log_in, self.url, user, password(user))

    def log_in_with_a_browser(self, user: str) -> dict[str, str]:
        """The cookies of the session."""
        with httpx.Client(timeout=60) as browser:
            browser.get(f"{self.url}hub/login")
            token = next((each.value for each in browser.cookies.jar if each.name == "_xsrf"), "")
            fields = {"username": user, "password": password(user), "_xsrf": token}
            assert browser.post(f"{self.url}hub/login", data=fields).status_code == 302
            return {each.name: str(each.value) for each in browser.cookies.jar if each.name != "_xsrf"}

    def new_token(self, user: str) -> str:
        return str(self.hub.ask("POST", f"/users/{quote(user)}/tokens", body={"note": "of mine"}).json()["token"])

    def kubectl(self, *words: str, input: str = "") -> str:
        cache = Path(self.cloud.environment["XDG_CACHE_HOME"]) / "zerojhub" / "practice"
        program = next(cache.glob("kubernetes-*/kubectl"))
        done = self.cloud.run(program, "--kubeconfig", self._config, "-n", "keep", *words, input=input)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def get(self, *words: str) -> Any:
        return json.loads(self.kubectl("get", *words, "-o", "json"))

    def read(self, *, fill: bool = False) -> dict[str, Any]:
        """What is on everybody's volume, by the server that it is for."""
        names = [each["metadata"]["name"] for each in self.claims]
        homes = [(f"{user}/{server}", (user == ADA and not server) if fill else None) for user, server in self.servers]
        volumes = [{"name": f"home-{n}", "persistentVolumeClaim": {"claimName": name}} for n, name in enumerate(names)]
        container = {
            "name": "files",
            "image": "docker.io/library/python:3.11",
            "command": ["python3", "-c", FILES, json.dumps(homes)],
            "env": [{"name": "PYTHONUTF8", "value": "1"}],
            "volumeMounts": [{"name": f"home-{n}", "mountPath": f"/homes/{n}"} for n in range(len(names))],
        }
        spec = {"containers": [container], "volumes": volumes, "restartPolicy": "Never"}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "files"}, "spec": spec}
        self.kubectl("create", "-f", "-", input=json.dumps(pod))
        phase = until(lambda: {self.get("pod", "files")["status"]["phase"]} & {"Succeeded", "Failed"})
        printed = self.kubectl("logs", "files")
        assert phase == {"Succeeded"}, printed
        self.kubectl("delete", "pod", "files")
        return dict(json.loads(line) for line in printed.splitlines())


def password(user: str) -> str:
    return f"pass wörd of {user}"


def everybody(people: list[Any], work: Callable[[Any], object]) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, people))


@pytest.fixture(scope="module")
def worlds(cloud: Shell) -> dict[str, World | None]:
    """The world of the story that is being told; None if it has not come about."""
    return {}


@pytest.fixture(scope="module", params=AGAIN, ids=lambda each: f"{Path(each[0].chart).stem}-{each[1]}")
def world(request: pytest.FixtureRequest, cloud: Shell, worlds: dict[str, World | None]) -> World:
    """After one more `down` and `up`."""
    story, number = request.param
    if story.chart not in worlds:
        for other in filter(None, worlds.values()):
            cloud.zerojhub("down", "-f", other.file, "--yes", "--delete-data")
        worlds.clear()
        worlds[story.chart] = None
        worlds[story.chart] = World(cloud, story)
    world = worlds[story.chart]
    assert world and world.number == number - 1
    world.again()
    return world


def test_down_keeps_all_volumes_and_nothing_else(world):
    owners = {each["id"]: each["owner"] for each in world.kept}
    assert sorted(owners.values()) == sorted([*world.story.people, "ada (server lab)", "hub-db-dir"])
    assert world.clusters == []
    world.owners = world.owners or owners
    assert owners == world.owners  # nothing has been copied


def test_a_plan_says_who_gets_what_back(world):
    total = sum(each["size_gb"] for each in world.kept)
    assert f"{len(world.kept)} volumes, {total} GB, without a cluster" in world.plan
    named = [each["owner"] for each in world.kept if f"{each['owner']} {each['size_gb']} GB" in world.plan]
    assert len(named) == min(len(world.kept), MOST_NAMED)


def test_every_file_is_as_it_was(world):
    assert len(world.files) == len(world.servers)
    assert all(len(files) >= 11 for files in world.files.values())
    for server, files in world.read().items():
        assert files == world.files[server], server
    for files in world.files.values():
        assert files[f"{TOP}/sparse"]["blocks"] * 512 < files[f"{TOP}/sparse"]["size"] / 10
        assert files[f"{TOP}/notes.txt"]["linked"] == [f"{TOP}/deep/linked", f"{TOP}/notes.txt"]


def test_everybody_logs_in_with_their_password_and_no_other(world):
    everybody(world.story.people, world.log_in)
    with pytest.raises(ZeroJHubError, match="refused the login"):
        anyio.run(partial(log_in, world.url, ADA, password(GRACE)))


def test_whoever_was_logged_in_still_is_unless_the_secrets_are_elsewhere(world):
    home = httpx.get(f"{world.url}hub/home", cookies=world.cookies, timeout=60)
    assert home.status_code == (302 if world.is_elsewhere else 200)


def test_tokens_administrators_and_named_servers_are_as_they_were(world):
    for user, token in world.tokens.items():
        assert world.hub.ask("GET", "/user", token=token).json()["name"] == user
    users = {each["name"]: each for each in world.hub.ask("GET", "/users?include_stopped_servers=1").json()}
    assert {name: each["admin"] for name, each in users.items()} == {
        user: user in (ADA, GRACE) for user in world.story.people
    }
    assert "lab" in users[ADA]["servers"]
    assert not any(server["ready"] for each in users.values() for server in each["servers"].values())


def test_claims_are_those_that_kubespawner_would_create(world):
    there = {each["metadata"]["name"]: each for each in world.get("pvc")["items"]}
    for wanted in world.claims:
        found, meta = there[wanted["metadata"]["name"]], wanted["metadata"]
        versions = {"chart", "helm.sh/chart"}
        assert {key: text for key, text in meta["labels"].items() if key not in versions}.items() <= found["metadata"][
            "labels"
        ].items()
        assert {
            key: text for key, text in meta["annotations"].items() if not key.endswith("-version")
        }.items() <= found["metadata"]["annotations"].items()
        assert found["status"]["phase"] == "Bound"
    assert len(there) == len(world.servers) + 1


def test_up_again_writes_nothing(cloud, world):
    until(lambda: sorted(cloud.volumes()) == [*["available"] * len(world.servers), "in-use"])  # the hub's
    before = len(cloud.audit())
    assert cloud.json("up", "-f", world.file)["ready"] is True
    assert cloud.writes(before) == []


def test_servers_have_the_files_and_may_change_them(world):
    if not world.is_last:
        pytest.skip("a start changes the files' groups, and what follows is to be compared with what was written")
    digest = (
        "import hashlib, glob; print(hashlib.sha256(open(glob.glob('work*/notes.txt')[0], 'rb').read()).hexdigest())"
    )
    for user, server in ((ADA, "lab"), (ZOË, "")):
        notes = world.files[f"{user}/{server}"][f"{TOP}/notes.txt"]
        change = "; open('new', 'w').write('x'); open(glob.glob('work*/notes.txt')[0], 'a').write('more')"
        assert notes["content"] in world.hub.run(user, server, digest + change)
    assert "saved" in world.hub.run(GRACE, "", "print(open('last-words').read())")


def test_delete_data_lists_what_it_deletes(cloud, worlds, world):
    if not world.is_last:
        pytest.skip("everything is needed")
    refused = cloud.zerojhub("down", "-f", world.file, "--delete-data", code=2).stderr
    assert all(each["id"] in refused for each in world.kept)
    assert f"ALL USERS' DATA ({len(world.kept)} volumes, {len(world.kept)} GB)" in refused
    cloud.zerojhub("down", "-f", world.file, "--yes", "--delete-data")
    assert cloud.volumes() == []
    worlds.clear()
