"""How the real JupyterHub and KubeSpawner interpret what Helm renders from the chart's values."""

import base64
import importlib
import sys

import pytest
from jupyterhub.app import JupyterHub
from kubernetes_asyncio.client import ApiClient, Configuration
from kubespawner import KubeSpawner
from traitlets.config.loader import PyFileConfigLoader

from tests.chart.rendering import container, render
from zerojhub.hub import message


@pytest.fixture
def configure(tmp_path, monkeypatch):
    """The hub's configuration with these values, loaded as in its pod."""

    def load(values=None, existing=None):
        """`existing`: the content of the Secret that hub.existingSecret names."""
        resources = render(values)
        if existing:
            (tmp_path / "existing-secret").mkdir()
            for name, text in existing.items():
                (tmp_path / "existing-secret" / name).write_text(text)
        for kind, place in (("ConfigMap", "chart"), ("Secret", "secret")):
            (tmp_path / place).mkdir()
            for name, text in resources[kind, "hub"]["data"].items():
                data = base64.b64decode(text) if kind == "Secret" else text.encode()
                (tmp_path / place / name).write_bytes(data)
        for variable in container(resources["Deployment", "hub"])["env"]:
            monkeypatch.setenv(variable["name"], variable.get("value", ""))
        monkeypatch.setenv("POD_NAMESPACE", "classes")
        monkeypatch.syspath_prepend(tmp_path / "chart")
        monkeypatch.delitem(sys.modules, "z2jh", raising=False)
        monkeypatch.setattr(importlib.import_module("z2jh"), "SECRET", tmp_path / "secret")
        return PyFileConfigLoader("jupyterhub_config.py", tmp_path / "chart").load_config()

    yield load
    sys.modules.pop("z2jh", None)


@pytest.fixture(autouse=True)
def no_cluster(monkeypatch):
    """These tests need no Kubernetes, but KubeSpawner looks for one."""
    monkeypatch.setattr("kubespawner.spawner.load_config", lambda **where: None)


@pytest.fixture
def anyio_backend():
    return "asyncio"


async def pod(config):
    """The manifest of a user's pod."""
    spawner = KubeSpawner(config=config, _mock=True)
    await spawner.load_user_options()
    return plain(await spawner.get_pod_manifest())


def plain(manifest):
    return ApiClient(Configuration()).sanitize_for_serialization(manifest)


def mounted(container):
    return {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}


@pytest.mark.parametrize(
    "hub",
    [
        {},
        {"templateVars": {"course": "physics"}},
        {"config": {"JupyterHub": {"template_vars": {"course": "physics", "announcement": "Hello"}}}},
        {"extraConfig": {"mine": "c.JupyterHub.template_vars = {'course': 'physics'}"}},
    ],
)
def test_an_announcement_joins_the_other_variables_of_the_templates(configure, hub):
    values = message.with_message({"hub": hub}, "Save <everything>")
    variables = JupyterHub(config=configure(values)).template_vars
    assert variables == ({"course": "physics"} if hub else {}) | {"announcement": "Save &lt;everything&gt;"}


@pytest.mark.anyio
async def test_a_users_pod_by_default(configure):
    config = configure()
    made = await pod(config)
    spec = made["spec"]
    (server,) = spec["containers"]
    assert server["image"].startswith("quay.io/jupyterhub/k8s-singleuser-sample:")
    assert server["args"][0] == "jupyterhub-singleuser"
    assert server["resources"]["requests"] == {"memory": 2**30}
    assert server["securityContext"] == {"runAsUser": 1000, "allowPrivilegeEscalation": False}
    assert spec["securityContext"]["fsGroup"] == 100
    assert set(mounted(server)) == {"/home/jovyan"}
    assert made["metadata"]["labels"]["component"] == "singleuser-server"
    assert (made["metadata"]["labels"]["app"], made["metadata"]["labels"]["release"]) == ("jupyterhub", "workshop")
    assert {each["value"] for each in spec["tolerations"]} == {"user"}
    (block,) = spec["initContainers"]
    assert block["command"][0] == "iptables" and "169.254.169.254" in block["command"]
    assert spec["automountServiceAccountToken"] is False
    assert config.KubeSpawner.namespace == "classes"


@pytest.mark.anyio
async def test_a_users_pod_as_the_values_say(configure):
    user = {
        "image": {"name": "registry.example.org/lab", "tag": "7", "pullSecrets": ["mine"]},
        "memory": {"limit": "2G", "guarantee": "512M"},
        "cpu": {"limit": 2, "guarantee": 0.5},
        "extraResource": {"limits": {"nvidia.com/gpu": "1"}},
        "extraEnv": {"SHARDS": 4, "NODE": {"value": "plain"}},
        "nodeSelector": {"pool": "gpu"},
        "defaultUrl": "/lab/tree/welcome.ipynb",
        "lifecycleHooks": {"postStart": {"exec": {"command": ["gitpuller"]}}},
        "cloudMetadata": {"blockWithIptables": False},
        "extraFiles": {"notice": {"mountPath": "/etc/notice", "stringData": "hello", "mode": 0o444}},
        "storage": {
            "extraVolumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}],
            "extraVolumeMounts": [{"name": "data", "mountPath": "/data"}],
        },
    }
    scheduling = {
        "userScheduler": {"enabled": True},
        "podPriority": {"enabled": True},
        "userPods": {"nodeAffinity": {"matchNodePurpose": "require"}},
    }
    spec = (await pod(configure({"singleuser": user, "scheduling": scheduling})))["spec"]
    (server,) = spec["containers"]
    assert server["image"] == "registry.example.org/lab:7"
    assert spec["imagePullSecrets"] == [{"name": "mine"}]
    assert server["resources"]["limits"] == {"memory": 2 * 2**30, "cpu": 2.0, "nvidia.com/gpu": "1"}
    assert server["resources"]["requests"] == {"memory": 512 * 2**20, "cpu": 0.5}
    environment = {each["name"]: each["value"] for each in server["env"]}
    assert (environment["SHARDS"], environment["NODE"]) == ("4", "plain")
    assert environment["JUPYTERHUB_DEFAULT_URL"] == "/lab/tree/welcome.ipynb"
    assert spec["nodeSelector"] == {"pool": "gpu"}
    assert server["lifecycle"]["postStart"]["exec"]["command"] == ["gitpuller"]
    assert not spec.get("initContainers")
    assert set(mounted(server)) == {"/home/jovyan", "/etc/notice", "/data"}
    assert set(mounted(server).values()) == {volume["name"] for volume in spec["volumes"]}
    assert spec["schedulerName"] == "workshop-user-scheduler"
    assert spec["priorityClassName"] == "workshop-default-priority"
    (term,) = spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert term["matchExpressions"][0]["key"] == "hub.jupyter.org/node-purpose"


@pytest.mark.anyio
async def test_the_users_own_volume(configure):
    dynamic = {"storageClass": "cinder", "storageAccessModes": ["ReadWriteMany"], "pvcNameTemplate": "home-{username}"}
    config = configure({"singleuser": {"storage": {"capacity": "3Gi", "dynamic": dynamic}}})
    claim = plain(KubeSpawner(config=config, _mock=True).get_pvc_manifest())
    assert claim["metadata"]["name"].startswith("home-")
    assert claim["spec"] == {
        "storageClassName": "cinder",
        "accessModes": ["ReadWriteMany"],
        "resources": {"requests": {"storage": "3Gi"}},
    }


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("storage", "claims"),
    [
        ({"type": "none"}, []),
        ({"type": "static", "static": {"pvcName": "shared", "subPath": "{username}"}}, ["shared"]),
    ],
)
async def test_no_volume_of_the_users_own(configure, storage, claims):
    config = configure({"singleuser": {"storage": storage}})
    made = await pod(config)
    assert [volume["persistentVolumeClaim"]["claimName"] for volume in made["spec"].get("volumes", [])] == claims
    assert not KubeSpawner(config=config, _mock=True).storage_pvc_ensure


def test_the_hub_itself(configure):
    token = "c" * 64
    config = configure(
        {
            "hub": {
                "cookieSecret": "d" * 64,
                "allowNamedServers": True,
                "namedServerLimitPerUser": 3,
                "services": {"watch": {"apiToken": token, "url": "http://watch"}},
                "loadRoles": {"watch": {"scopes": ["list:users"], "services": ["watch"]}},
                "config": {"Authenticator": {"admin_users": ["ada"]}, "JupyterHub": {"authenticator_class": "github"}},
                "extraConfig": {
                    "2-later": "c.JupyterHub.template_vars = {'x': get_config('custom.course')}",
                    "1-sooner": "from z2jh import get_config\nc.JupyterHub.template_vars = {}",
                },
            },
            "cull": {"timeout": 60, "users": True, "adminUsers": False},
            "custom": {"course": "physics"},
        }
    )
    hub = config.JupyterHub
    assert hub.cookie_secret == "d" * 64
    assert (hub.allow_named_servers, hub.named_server_limit_per_user, hub.cleanup_servers) == (True, 3, False)
    assert (hub.authenticator_class, config.Authenticator.admin_users) == ("github", ["ada"])
    assert hub.template_vars == {"x": "physics"}
    services = {service["name"]: service for service in hub.services}
    assert services["watch"] == {"name": "watch", "url": "http://watch", "api_token": token}
    command = services["jupyterhub-idle-culler"]["command"]
    assert {"--timeout=60", "--cull-users", "--cull-admin-users=false"} <= set(command)
    roles = {role["name"]: role for role in hub.load_roles}
    assert roles["watch"]["scopes"] == ["list:users"]
    assert "admin:users" in roles["jupyterhub-idle-culler"]["scopes"]


@pytest.mark.parametrize(
    ("database", "url"),
    [
        ({"type": "sqlite-pvc"}, "sqlite:////srv/jupyterhub/jupyterhub.sqlite"),
        ({"type": "sqlite-memory"}, "sqlite://"),
        ({"type": "postgres", "url": "postgresql://db/hub"}, "postgresql://db/hub"),
    ],
)
def test_the_hubs_database(configure, database, url):
    assert configure({"hub": {"db": database}}).JupyterHub.db_url == url


def test_an_error_in_extra_config_names_its_key(configure):
    with pytest.raises(SyntaxError) as error:
        configure({"hub": {"extraConfig": {"banner": "this is no Python"}}})
    assert error.value.filename == "hub.extraConfig.banner"


def test_a_secret_of_the_users_takes_precedence(configure):
    given = "hub: {config: {GitHubOAuthenticator: {client_secret: theirs}}, services: {watch: {url: http://watch}}}"
    existing = {
        "values.yaml": given,
        "hub.services.watch.apiToken": "a" * 64,
        "hub.config.JupyterHub.cookie_secret": "b" * 64,
    }
    values = {
        "hub": {
            "existingSecret": "mine",
            "config": {"GitHubOAuthenticator": {"client_id": "id", "client_secret": "ours"}},
            "services": {"watch": {"apiToken": "c" * 64}},
        }
    }
    config = configure(values, existing)
    assert config.GitHubOAuthenticator == {"client_id": "id", "client_secret": "theirs"}
    assert {"name": "watch", "url": "http://watch", "api_token": "a" * 64} in config.JupyterHub.services
    assert config.JupyterHub.cookie_secret == "b" * 64
