"""JupyterHub's configuration, generated from the chart's values when the hub starts."""

import os
import re
import sys
from pathlib import Path

from tornado.httpclient import AsyncHTTPClient

c = get_config()  # noqa: F821 (JupyterHub defines it)

sys.path.insert(0, str(Path(__file__).resolve().parent))

from z2jh import get_config, get_name, get_secret_value, set_config_if_not_none  # noqa: E402 (beside this file)

# libcurl is faster with many concurrent calls to the proxy.
AsyncHTTPClient.configure("tornado.curl_httpclient.CurlAsyncHTTPClient")

CLUSTER_PREFIX = os.environ["CLUSTER_RESOURCE_PREFIX"]

# Trait -> key of the value it is set from. Default: the name of the trait in camel case.
HUB = {
    "concurrent_spawn_limit": None,
    "active_server_limit": None,
    "base_url": None,
    "allow_named_servers": None,
    "named_server_limit_per_user": None,
    "authenticate_prometheus": None,
    "redirect_to_server": None,
    "shutdown_on_logout": None,
    "template_paths": None,
    "template_vars": None,
}
SPAWNER = {
    "pod_name_template": None,
    "start_timeout": None,
    "image_pull_policy": "image.pullPolicy",
    "events_enabled": "events",
    "extra_labels": None,
    "extra_annotations": None,
    "allow_privilege_escalation": None,
    "uid": None,
    "fs_gid": None,
    "service_account": "serviceAccountName",
    "storage_extra_labels": "storage.extraLabels",
    "node_selector": None,
    "node_affinity_required": "extraNodeAffinity.required",
    "node_affinity_preferred": "extraNodeAffinity.preferred",
    "pod_affinity_required": "extraPodAffinity.required",
    "pod_affinity_preferred": "extraPodAffinity.preferred",
    "pod_anti_affinity_required": "extraPodAntiAffinity.required",
    "pod_anti_affinity_preferred": "extraPodAntiAffinity.preferred",
    "lifecycle_hooks": None,
    "init_containers": None,
    "extra_containers": None,
    "mem_limit": "memory.limit",
    "mem_guarantee": "memory.guarantee",
    "cpu_limit": "cpu.limit",
    "cpu_guarantee": "cpu.guarantee",
    "extra_resource_limits": "extraResource.limits",
    "extra_resource_guarantees": "extraResource.guarantees",
    "profile_list": None,
    "extra_pod_config": None,
    "cmd": None,
    "default_url": None,
}


def set_all(section, traits, place):
    for trait, key in traits.items():
        named = re.sub(r"_([a-z])", lambda letter: letter[1].upper(), trait)
        set_config_if_not_none(section, trait, f"{place}.{key or named}")


def listed(value, key):
    """The items of a list, or of a mapping of names to items."""
    if isinstance(value, dict):
        return [{key: name, **item} for name, item in value.items()]
    return value or []


def hub():
    c.JupyterHub.hub_bind_url = "http://:8081"
    c.JupyterHub.hub_connect_url = f"http://{get_name('hub')}:8081"
    c.ConfigurableHTTPProxy.api_url = f"http://{get_name('proxy-api')}:8001"
    c.ConfigurableHTTPProxy.should_start = False
    # Users' servers are separate pods, which keep running while the hub restarts.
    c.JupyterHub.cleanup_servers = False
    c.JupyterHub.last_activity_interval = 60
    c.JupyterHub.tornado_settings = {"slow_spawn_timeout": 0}
    set_all(c.JupyterHub, HUB, "hub")
    set_config_if_not_none(c.Spawner, "consecutive_failure_limit", "hub.consecutiveFailureLimit")
    if get_config("debug.enabled"):
        c.JupyterHub.log_level = "DEBUG"
        c.Spawner.debug = True


def database():
    kind = get_config("hub.db.type")
    if kind == "sqlite-pvc":
        c.JupyterHub.db_url = "sqlite:////srv/jupyterhub/jupyterhub.sqlite"
    elif kind == "sqlite-memory":
        c.JupyterHub.db_url = "sqlite://"
    else:
        set_config_if_not_none(c.JupyterHub, "db_url", "hub.db.url")
    variable = {"mysql": "MYSQL_PWD", "postgres": "PGPASSWORD"}.get(kind)
    password = get_secret_value("hub.db.password", None)
    if password and variable:
        os.environ[variable] = password


def spawner():
    c.JupyterHub.spawner_class = "kubespawner.KubeSpawner"
    c.KubeSpawner.namespace = os.environ["POD_NAMESPACE"]
    name, release = get_config("nameOverride") or get_config("Chart.Name"), get_config("Release.Name")
    c.KubeSpawner.common_labels = {
        "app": name,
        "release": release,
        "app.kubernetes.io/name": name,
        "app.kubernetes.io/instance": release,
        "app.kubernetes.io/managed-by": "kubespawner",
    }
    set_all(c.KubeSpawner, SPAWNER, "singleuser")
    c.KubeSpawner.image = f"{get_config('singleuser.image.name')}:{get_config('singleuser.image.tag')}"
    # Kubernetes accepts strings only, but YAML values can be numbers.
    c.KubeSpawner.environment = {
        key: value if isinstance(value, dict) else str(value)
        for key, value in get_config("singleuser.extraEnv").items()
    }
    c.KubeSpawner.image_pull_secrets = pull_secrets()
    c.KubeSpawner.tolerations = get_config("scheduling.userPods.tolerations") + get_config(
        "singleuser.extraTolerations"
    )
    if get_config("scheduling.userScheduler.enabled"):
        c.KubeSpawner.scheduler_name = CLUSTER_PREFIX + "user-scheduler"
    if get_config("scheduling.podPriority.enabled"):
        c.KubeSpawner.priority_class_name = CLUSTER_PREFIX + "default-priority"
    purpose = {"key": "hub.jupyter.org/node-purpose", "operator": "In", "values": ["user"]}
    match get_config("scheduling.userPods.nodeAffinity.matchNodePurpose"):
        case "prefer":
            preference = {"weight": 100, "preference": {"matchExpressions": [purpose]}}
            c.KubeSpawner.node_affinity_preferred.append(preference)
        case "require":
            c.KubeSpawner.node_affinity_required.append({"matchExpressions": [purpose]})
    if get_config("singleuser.cloudMetadata.blockWithIptables"):
        c.KubeSpawner.init_containers.append(metadata_block())


def pull_secrets():
    secrets = [*get_config("imagePullSecrets", []), *get_config("singleuser.image.pullSecrets", [])]
    if get_config("imagePullSecret.create") and get_config("imagePullSecret.automaticReferenceInjection"):
        secrets.append(get_name("image-pull-secret"))
    return secrets


def metadata_block():
    """An init container that blocks the cloud's metadata server, which exposes the node's credentials."""
    drop = ["--protocol", "tcp", "--destination-port", "80", "--jump", "DROP"]
    image = get_config("singleuser.networkTools.image")
    return {
        "name": "block-cloud-metadata",
        "image": f"{image['name']}:{image['tag']}",
        "command": [
            "iptables",
            "--append",
            "OUTPUT",
            "--destination",
            get_config("singleuser.cloudMetadata.ip"),
            *drop,
        ],
        "securityContext": {"privileged": True, "runAsUser": 0, "capabilities": {"add": ["NET_ADMIN"]}},
        "resources": get_config("singleuser.networkTools.resources"),
    }


def storage():
    """The user's home directory, extra files and extra volumes."""
    home = {"mountPath": get_config("singleuser.storage.homeMountPath")}
    volumes, mounts = [], []
    kind = get_config("singleuser.storage.type")
    if kind == "dynamic":
        dynamic = "singleuser.storage.dynamic"
        c.KubeSpawner.storage_pvc_ensure = True
        set_config_if_not_none(c.KubeSpawner, "storage_capacity", "singleuser.storage.capacity")
        set_config_if_not_none(c.KubeSpawner, "pvc_name_template", f"{dynamic}.pvcNameTemplate")
        set_config_if_not_none(c.KubeSpawner, "storage_class", f"{dynamic}.storageClass")
        set_config_if_not_none(c.KubeSpawner, "storage_access_modes", f"{dynamic}.storageAccessModes")
        claim, name, path = "{pvc_name}", get_config(f"{dynamic}.volumeNameTemplate"), get_config(f"{dynamic}.subPath")
    elif kind == "static":
        claim, name = get_config("singleuser.storage.static.pvcName"), "home"
        path = get_config("singleuser.storage.static.subPath")
    if kind in ("dynamic", "static"):
        volumes.append({"name": name, "persistentVolumeClaim": {"claimName": claim}})
        mounts.append({**home, "name": name, **({"subPath": path} if path else {})})
    if files := get_config("singleuser.extraFiles"):
        items = [
            {"key": key, "path": key, **({"mode": file["mode"]} if "mode" in file else {})}
            for key, file in files.items()
        ]
        volumes.append({"name": "files", "secret": {"secretName": get_name("singleuser"), "items": items}})
        mounts += [{"name": "files", "mountPath": file["mountPath"], "subPath": key} for key, file in files.items()]
    c.KubeSpawner.volumes = volumes + listed(get_config("singleuser.storage.extraVolumes"), "name")
    c.KubeSpawner.volume_mounts = mounts + listed(get_config("singleuser.storage.extraVolumeMounts"), "name")


def services():
    """The hub's services with the tokens that the chart stores for them, and their roles."""
    c.JupyterHub.services = []
    c.JupyterHub.load_roles = listed(get_config("hub.loadRoles"), "name")
    if get_config("cull.enabled"):
        cull()
    for name, service in get_config("hub.services", {}).items():
        about = {key: value for key, value in service.items() if key not in ("apiToken", "api_token")}
        token = get_secret_value(f"hub.services.{name}.apiToken")
        c.JupyterHub.services.append({"name": name, **about, "api_token": token})


def cull():
    """The service that stops idle servers, with only the scopes it needs."""
    api = f"http://localhost:8081{get_config('hub.baseUrl').rstrip('/')}/hub/api"
    command = [sys.executable, "-m", "jupyterhub_idle_culler", f"--url={api}"]
    for flag, key in {
        "timeout": "timeout",
        "cull-every": "every",
        "concurrency": "concurrency",
        "max-age": "maxAge",
    }.items():
        if value := get_config(f"cull.{key}"):
            command.append(f"--{flag}={value}")
    scopes = ["list:users", "read:users:activity", "read:servers", "delete:servers"]
    if get_config("cull.users"):
        command.append("--cull-users")
        scopes.append("admin:users")
    if not get_config("cull.adminUsers"):
        command.append("--cull-admin-users=false")
    if get_config("cull.removeNamedServers"):
        command.append("--remove-named-servers")
    name = "jupyterhub-idle-culler"
    c.JupyterHub.services.append({"name": name, "command": command})
    c.JupyterHub.load_roles.append({"name": name, "scopes": scopes, "services": [name]})


def passed_through():
    """hub.config, without the secrets that the chart sets itself."""
    c.JupyterHub.cookie_secret = get_secret_value("hub.config.JupyterHub.cookie_secret")
    c.CryptKeeper.keys = get_secret_value("hub.config.CryptKeeper.keys").split(";")
    kept = {("JupyterHub", "cookie_secret"), ("ConfigurableHTTPProxy", "auth_token"), ("CryptKeeper", "keys")}
    for section, traits in get_config("hub.config", {}).items():
        c[section].update({trait: value for trait, value in traits.items() if (section, trait) not in kept})


hub()
database()
spawner()
storage()
services()
passed_through()

for path in sorted(Path("/usr/local/etc/jupyterhub/jupyterhub_config.d").glob("*.py")):
    exec(compile(path.read_text(), str(path), "exec"))
for key, code in sorted(get_config("hub.extraConfig", {}).items()):
    exec(compile(code, f"hub.extraConfig.{key}", "exec"))
