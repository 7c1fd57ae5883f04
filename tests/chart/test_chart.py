"""Our own chart: what Helm renders from a user's values, and which values it rejects."""

import base64
import json

import jsonschema
import pytest
import yaml

from tests.chart.rendering import CHART, ROOT, container, helm, plain, render, schema, secret


def test_lint_finds_nothing():
    done = helm("lint", CHART, "--strict", "--kube-version=1.34.4")
    assert done.returncode == 0, done.stdout + done.stderr


def test_resources_are_named_as_zero_to_jupyterhub_names_them():
    assert set(plain()) == {
        *(("Deployment", name) for name in ("hub", "proxy", "user-scheduler")),
        *(("Service", name) for name in ("hub", "proxy-public", "proxy-api")),
        *(("NetworkPolicy", name) for name in ("hub", "proxy", "singleuser")),
        *((kind, "hub") for kind in ("Secret", "ConfigMap", "ServiceAccount", "Role", "RoleBinding")),
        ("PersistentVolumeClaim", "hub-db-dir"),
        *((kind, "user-scheduler") for kind in ("ConfigMap", "ServiceAccount", "Role", "RoleBinding")),
        *(("ClusterRoleBinding", f"workshop-user-{name}") for name in ("kube-scheduler", "volume-scheduler")),
        ("PodDisruptionBudget", "user-scheduler"),
        *((kind, "continuous-image-puller") for kind in ("DaemonSet", "ServiceAccount")),
        *((kind, "hook-image-puller") for kind in ("DaemonSet", "ServiceAccount")),
        *((kind, "hook-image-awaiter") for kind in ("Job", "ServiceAccount", "Role", "RoleBinding")),
    }
    labels = plain()["Deployment", "hub"]["spec"]["template"]["metadata"]["labels"]
    assert {"app": "jupyterhub", "component": "hub", "release": "workshop"}.items() <= labels.items()


@pytest.mark.parametrize(("override", "name"), [("blue", "blue-hub"), (None, "workshop-jupyterhub-hub")])
def test_two_hubs_in_a_namespace_can_have_names_of_their_own(override, name):
    resources = render({"fullnameOverride": override})
    assert ("Deployment", name) in resources
    environment = {item["name"]: item.get("value") for item in container(resources["Deployment", name])["env"]}
    assert environment["RESOURCE_PREFIX"] + "hub" == name


def test_services_select_the_pods_they_are_for():
    for service, deployment in (("hub", "hub"), ("proxy-public", "proxy"), ("proxy-api", "proxy")):
        selector = plain()["Service", service]["spec"]["selector"]
        template = plain()["Deployment", deployment]["spec"]["template"]
        assert selector.items() <= template["metadata"]["labels"].items()
        ports = {port["name"] for port in template["spec"]["containers"][0]["ports"]}
        assert {port["targetPort"] for port in plain()["Service", service]["spec"]["ports"]} <= ports


def test_labels_that_change_with_the_chart_are_on_no_pod():
    """A version label would restart all pods, and drop every user's proxy route, when only the version changes."""
    version = yaml.safe_load((CHART / "Chart.yaml").read_text())["version"].replace("+", "_")
    for name in ("hub", "proxy"):
        assert version not in json.dumps(plain()["Deployment", name]["spec"]["template"]["metadata"])


def test_secrets_are_made_where_none_are_given_and_kept_where_they_are():
    made = secret(plain())
    again = secret(render())
    for key in ("ConfigurableHTTPProxy.auth_token", "JupyterHub.cookie_secret", "CryptKeeper.keys"):
        assert len(bytes.fromhex(made[f"hub.config.{key}"])) == 32
        assert made[f"hub.config.{key}"] != again[f"hub.config.{key}"]
    token, cookie, service = "a" * 64, "b" * 64, "c" * 64
    hub = {"cookieSecret": cookie, "services": {"monitor": {"apiToken": service}, "other": {}}}
    kept = secret(render({"proxy": {"secretToken": token}, "hub": hub}))
    assert kept["hub.config.ConfigurableHTTPProxy.auth_token"] == token
    assert kept["hub.config.JupyterHub.cookie_secret"] == cookie
    assert kept["hub.services.monitor.apiToken"] == service
    assert len(kept["hub.services.other.apiToken"]) == 64


def test_no_secret_is_in_anything_but_secrets():
    token, password = "e" * 64, "a-database-password"
    values = {
        "proxy": {"secretToken": token},
        "hub": {"db": {"type": "postgres", "url": "postgresql://db/hub", "password": password}},
    }
    others = [resource for (kind, _), resource in render(values).items() if kind != "Secret"]
    assert token not in json.dumps(others) and password not in json.dumps(others)


def test_the_same_values_restart_nothing():
    first, second = (render({"proxy": {"secretToken": "a" * 64}}) for _ in range(2))
    assert first["Deployment", "hub"] == second["Deployment", "hub"]
    assert first["Deployment", "proxy"] == second["Deployment", "proxy"]


def test_other_values_restart_the_hub_and_leave_the_proxy():
    changed = render({"cull": {"timeout": 60}})
    assert changed["Deployment", "hub"] != plain()["Deployment", "hub"]
    assert changed["Deployment", "proxy"] == plain()["Deployment", "proxy"]


def test_the_hub_reads_the_values_it_was_given():
    values = {"hub": {"config": {"JupyterHub": {"admin_users": ["ada"]}}}, "custom": {"course": "physics"}}
    read = yaml.safe_load(secret(render(values))["values.yaml"])
    assert read["hub"]["config"]["JupyterHub"] == {
        "admin_access": True,
        "admin_users": ["ada"],
        "authenticator_class": "dummy",
    }
    assert (read["custom"]["course"], read["Release"]["Name"]) == ("physics", "workshop")


def test_the_syntax_of_templates_is_text_in_values():
    text = "{{ .Release.Name }}{{ fail `executed` }}"
    values = {
        "hub": {
            "templateVars": {"course": text},
            "config": {"GitHubOAuthenticator": {"client_id": text}},
            "labels": {},
        },
        "singleuser": {"extraEnv": {"COURSE": text}, "extraFiles": {"a": {"mountPath": "/a", "stringData": text}}},
    }
    resources = render(values)
    read = yaml.safe_load(secret(resources)["values.yaml"])
    assert read["hub"]["templateVars"]["course"] == read["singleuser"]["extraEnv"]["COURSE"] == text
    assert "workshop{{" not in json.dumps(list(resources.values()))


def test_the_database_volume():
    claim = {"storage": "5Gi", "storageClassName": "cinder", "accessModes": ["ReadWriteMany"]}
    resources = render({"hub": {"db": {"pvc": claim}}})
    spec = resources["PersistentVolumeClaim", "hub-db-dir"]["spec"]
    assert spec["storageClassName"] == "cinder"
    assert (spec["resources"]["requests"]["storage"], spec["accessModes"]) == ("5Gi", ["ReadWriteMany"])
    assert "storageClassName" not in plain()["PersistentVolumeClaim", "hub-db-dir"]["spec"]


@pytest.mark.parametrize("database", [{"type": "sqlite-memory"}, {"type": "postgres", "url": "postgresql://db/hub"}])
def test_a_hub_without_a_volume(database):
    resources = render({"hub": {"db": database}})
    assert ("PersistentVolumeClaim", "hub-db-dir") not in resources
    hub = container(resources["Deployment", "hub"])
    assert "--upgrade-db" not in hub["args"]
    assert "--upgrade-db" in container(plain()["Deployment", "hub"])["args"]


def test_a_node_port():
    service = {"type": "NodePort", "nodePorts": {"http": 30080}, "annotations": {"a": "b"}}
    spec = render({"proxy": {"service": service}})["Service", "proxy-public"]["spec"]
    assert (spec["type"], spec["ports"]) == (
        "NodePort",
        [{"name": "http", "port": 80, "targetPort": "http", "nodePort": 30080}],
    )


def test_https_with_a_certificate_in_the_values():
    manual = {"key": "the key", "cert": "the certificate"}
    resources = render({"proxy": {"https": {"enabled": True, "type": "manual", "manual": manual}}})
    assert secret(resources, "proxy-public-manual-tls") == {"tls.key": "the key", "tls.crt": "the certificate"}
    proxy = container(resources["Deployment", "proxy"])
    assert {"--port=8443", "--redirect-port=8000", "--redirect-to=443"} <= set(proxy["args"])
    assert proxy["readinessProbe"]["httpGet"]["scheme"] == "HTTPS"
    ports = {port["port"]: port["targetPort"] for port in resources["Service", "proxy-public"]["spec"]["ports"]}
    assert ports == {443: "https", 80: "http"}


def test_https_with_a_secret_of_kubernetes():
    https = {"enabled": True, "type": "secret", "secret": {"name": "wildcard", "key": "k.pem"}}
    proxy = render({"proxy": {"https": https}})["Deployment", "proxy"]
    (volume,) = proxy["spec"]["template"]["spec"]["volumes"]
    assert volume["secret"]["secretName"] == "wildcard"
    assert {"--ssl-key=/etc/chp/tls/k.pem", "--ssl-cert=/etc/chp/tls/tls.crt"} <= set(container(proxy)["args"])


def test_https_ended_before_the_proxy():
    resources = render({"proxy": {"https": {"enabled": True, "type": "offload"}}})
    ports = {port["port"]: port["targetPort"] for port in resources["Service", "proxy-public"]["spec"]["ports"]}
    assert ports == {443: "http", 80: "http"}
    assert "--port=8000" in container(resources["Deployment", "proxy"])["args"]


def test_an_ingress():
    tls = [{"hosts": ["hub.example.org"], "secretName": "tls"}]
    ingress = {"enabled": True, "hosts": ["hub.example.org"], "ingressClassName": "nginx", "tls": tls}
    resources = render({"ingress": ingress, "hub": {"baseUrl": "/class/"}})
    spec = resources["Ingress", "jupyterhub"]["spec"]
    (rule,) = spec["rules"]
    (path,) = rule["http"]["paths"]
    assert (rule["host"], path["path"], spec["ingressClassName"], spec["tls"]) == (
        "hub.example.org",
        "/class/",
        "nginx",
        tls,
    )
    assert path["backend"]["service"] == {"name": "proxy-public", "port": {"name": "http"}}
    assert container(resources["Deployment", "hub"])["readinessProbe"]["httpGet"]["path"] == "/class/hub/health"


def test_files_environment_and_volumes_of_the_hub():
    hub = {
        "extraFiles": {
            "logo": {"mountPath": "/srv/logo.svg", "stringData": "<svg/>", "mode": 0o440},
            "about": {"mountPath": "/srv/about.json", "data": {"a": 1}},
        },
        "extraEnv": {"WORDS": "a b", "NUMBER": 3, "NODE": {"valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}},
        "extraVolumes": [{"name": "more", "emptyDir": {}}],
        "extraVolumeMounts": [{"name": "more", "mountPath": "/more"}],
    }
    resources = render({"hub": hub})
    assert secret(resources)["logo"] == "<svg/>" and json.loads(secret(resources)["about"]) == {"a": 1}
    running = container(resources["Deployment", "hub"])
    mounts = {mount["mountPath"]: mount for mount in running["volumeMounts"]}
    assert mounts["/srv/logo.svg"]["subPath"] == "logo" and "/more" in mounts
    environment = {item["name"]: item for item in running["env"]}
    assert (environment["WORDS"]["value"], environment["NUMBER"]["value"]) == ("a b", "3")
    assert environment["NODE"]["valueFrom"]["fieldRef"]["fieldPath"] == "spec.nodeName"


def test_scheduling_for_a_cluster_that_grows_and_shrinks():
    values = {
        "scheduling": {
            "userScheduler": {"enabled": True},
            "podPriority": {"enabled": True},
            "userPlaceholder": {"replicas": 2},
            "userPods": {"nodeAffinity": {"matchNodePurpose": "require"}},
        },
        "singleuser": {"memory": {"guarantee": "2G"}, "cpu": {"limit": 2}},
    }
    resources = render(values)
    configuration = yaml.safe_load(resources["ConfigMap", "user-scheduler"]["data"]["config.yaml"])
    (profile,) = configuration["profiles"]
    placeholder = resources["StatefulSet", "user-placeholder"]["spec"]
    pod = placeholder["template"]["spec"]
    assert pod["schedulerName"] == profile["schedulerName"] == "workshop-user-scheduler"
    assert pod["containers"][0]["resources"] == {"requests": {"memory": "2G"}, "limits": {"cpu": "2"}}
    assert pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    priority = {name: resource["value"] for (kind, name), resource in resources.items() if kind == "PriorityClass"}
    assert priority[pod["priorityClassName"]] < priority["workshop-default-priority"]


def test_the_users_scheduler_is_as_configured():
    scheduler = {
        "replicas": 1,
        "logLevel": 2,
        "revisionHistoryLimit": 0,
        "plugins": {"score": {"disabled": [{"name": "ImageLocality"}]}},
        "pluginConfig": [],
        "pdb": {"maxUnavailable": None, "minAvailable": "50%"},
        "nodeSelector": {"a": "b"},
        "tolerations": [{"key": "core", "operator": "Exists"}],
        "labels": {"c": "d"},
        "annotations": {"e": "f"},
        "serviceAccount": {"name": "mine", "annotations": {"g": "h"}},
        "extraPodSpec": {"hostNetwork": True},
    }
    resources = render({"scheduling": {"userScheduler": scheduler}})
    deployment = resources["Deployment", "user-scheduler"]["spec"]
    pod = deployment["template"]
    assert (deployment["replicas"], deployment["revisionHistoryLimit"]) == (1, 0)
    assert "--v=2" in pod["spec"]["containers"][0]["command"]
    assert (pod["metadata"]["labels"]["c"], pod["metadata"]["annotations"]["e"]) == ("d", "f")
    assert (pod["spec"]["nodeSelector"], pod["spec"]["hostNetwork"]) == ({"a": "b"}, True)
    assert {"key": "core", "operator": "Exists"} in pod["spec"]["tolerations"]
    assert pod["spec"]["serviceAccountName"] == "mine"
    assert resources["ServiceAccount", "mine"]["metadata"]["annotations"] == {"g": "h"}
    subjects = [
        each["subjects"][0]["name"] for (kind, name), each in resources.items() if "Binding" in kind and "user-" in name
    ]
    assert subjects == ["mine"] * 3
    budget = resources["PodDisruptionBudget", "user-scheduler"]["spec"]
    assert budget["minAvailable"] == "50%" and "maxUnavailable" not in budget
    (profile,) = yaml.safe_load(resources["ConfigMap", "user-scheduler"]["data"]["config.yaml"])["profiles"]
    assert profile["plugins"]["score"]["disabled"][-1] == {"name": "ImageLocality"} and "pluginConfig" not in profile
    assert not any(
        "user-scheduler" in name for _, name in render({"scheduling": {"userScheduler": {"enabled": False}}})
    )


def test_pods_that_are_not_to_be_evicted():
    resources = render(
        {"hub": {"pdb": {"enabled": True}}, "proxy": {"chp": {"pdb": {"enabled": True, "minAvailable": 0}}}}
    )
    for name, least in (("hub", 1), ("proxy", 0)):
        budget = resources["PodDisruptionBudget", name]["spec"]
        assert (budget["minAvailable"], "maxUnavailable" in budget) == (least, False)
        pods = resources["Deployment", name]["spec"]["template"]["metadata"]["labels"]
        assert budget["selector"]["matchLabels"].items() <= pods.items()


@pytest.mark.parametrize(
    ("given", "rendered"),
    [
        ({}, {"type": "Recreate", "rollingUpdate": None}),
        (
            {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}},
            {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}},
        ),
        ({"type": "RollingUpdate"}, {"type": "RollingUpdate", "rollingUpdate": None}),
        ({"rollingUpdate": ""}, {"type": "Recreate", "rollingUpdate": None}),
    ],
)
def test_how_the_hub_and_the_proxy_are_replaced(given, rendered):
    resources = render({part: {"deploymentStrategy": given} for part in ("hub", "proxy")})
    assert [resources["Deployment", name]["spec"]["strategy"] for name in ("hub", "proxy")] == [rendered] * 2


def test_a_secret_of_the_users_is_mounted():
    pod = render({"hub": {"existingSecret": "mine"}})["Deployment", "hub"]["spec"]["template"]["spec"]
    mounts = {mount["name"]: mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert mounts["existing-secret"] == "/usr/local/etc/jupyterhub/existing-secret"
    assert volumes["existing-secret"]["secret"]["secretName"] == "mine"
    assert "existing-secret" not in json.dumps(plain()["Deployment", "hub"])


def test_a_route_through_a_gateway():
    gateway = {"name": "mine", "namespace": "gateways", "sectionName": "https"}
    about = {"hostnames": ["hub.example.org"], "annotations": {"a": "b"}}
    rendered = render({"httpRoute": {"enabled": True, "gateway": gateway, **about}})["HTTPRoute", "jupyterhub"]
    assert rendered["apiVersion"] == "gateway.networking.k8s.io/v1"
    assert rendered["metadata"]["annotations"] == {"a": "b"}
    assert rendered["spec"] == {
        "parentRefs": [{"kind": "Gateway", **gateway}],
        "hostnames": ["hub.example.org"],
        "rules": [{"backendRefs": [{"name": "proxy-public", "port": 80}]}],
    }
    near = render({"httpRoute": {"enabled": True, "gateway": {"name": "near"}}, "fullnameOverride": "blue"})
    assert near["HTTPRoute", "blue"]["spec"]["parentRefs"] == [{"kind": "Gateway", "name": "near"}]
    assert near["HTTPRoute", "blue"]["spec"]["rules"][0]["backendRefs"][0]["name"] == "blue-proxy-public"


def test_keys_without_an_effect_of_their_own_are_taken():
    assert render({"enabled": True, "global": {"safeToShowValues": True}}).keys() == plain().keys()


def test_services_of_both_families():
    service = {"ipFamilyPolicy": "RequireDualStack", "ipFamilies": ["IPv4", "IPv6"]}
    extra = {"extraPorts": [{"name": "more", "port": 9000}], "ports": {"appProtocol": "http"}}
    resources = render({"hub": {"service": service | extra}, "proxy": {"service": service}})
    for name in ("hub", "proxy-public"):
        assert resources["Service", name]["spec"].items() > service.items()
    first, second = resources["Service", "hub"]["spec"]["ports"]
    assert (first["appProtocol"], second) == ("http", {"name": "more", "port": 9000})


def test_images_are_pulled_ahead():
    profiles = [
        {"display_name": "GPU", "kubespawner_override": {"image": "registry.example.org/gpu:1"}},
        {
            "display_name": "Choice",
            "profile_options": {
                "image": {"choices": {"r": {"kubespawner_override": {"image": "registry.example.org/r:2"}}}}
            },
        },
    ]
    resources = render({"singleuser": {"profileList": profiles}})
    for when in ("continuous", "hook"):
        pod = resources["DaemonSet", f"{when}-image-puller"]["spec"]["template"]["spec"]
        pulled = {each["image"] for each in pod["initContainers"]}
        assert {"registry.example.org/gpu:1", "registry.example.org/r:2"} < pulled
        assert any(image.startswith("quay.io/jupyterhub/k8s-singleuser-sample:") for image in pulled)


def test_images_are_pulled_before_the_release_is_installed():
    hook = {
        "podSchedulingWaitDuration": -1,
        "image": {"tag": "1"},
        "nodeSelector": {"a": "b"},
        "tolerations": [{"key": "core", "operator": "Exists"}],
        "resources": {"limits": {"memory": "64Mi"}},
        "serviceAccount": {"create": False, "name": "mine"},
        "serviceAccountImagePuller": {"annotations": {"c": "d"}},
        "daemonsetAnnotations": {"e": "f"},
    }
    resources = render({"prePuller": {"hook": hook, "continuous": {"enabled": False}, "annotations": {"g": "h"}}})
    order = {
        kind: int(resources[kind, name]["metadata"]["annotations"]["helm.sh/hook-weight"])
        for kind, name in (
            ("DaemonSet", "hook-image-puller"),
            ("Role", "hook-image-awaiter"),
            ("Job", "hook-image-awaiter"),
        )
    }
    assert sorted(order, key=order.__getitem__) == ["DaemonSet", "Role", "Job"]
    job = resources["Job", "hook-image-awaiter"]["spec"]["template"]
    awaiter = job["spec"]["containers"][0]
    assert {"-daemonset=hook-image-puller", "-namespace=classes", "-pod-scheduling-wait-duration=-1"} < set(
        awaiter["command"]
    )
    assert (awaiter["image"], awaiter["resources"]) == ("quay.io/jupyterhub/k8s-image-awaiter:1", hook["resources"])
    assert (job["spec"]["nodeSelector"], job["spec"]["serviceAccountName"]) == ({"a": "b"}, "mine")
    assert {"key": "core", "operator": "Exists"} in job["spec"]["tolerations"]
    assert ("ServiceAccount", "hook-image-awaiter") not in resources
    assert resources["ServiceAccount", "hook-image-puller"]["metadata"]["annotations"]["c"] == "d"
    puller = resources["DaemonSet", "hook-image-puller"]
    assert puller["metadata"]["annotations"].items() > {"e": "f", "helm.sh/hook": "pre-install,pre-upgrade"}.items()
    assert puller["spec"]["template"]["metadata"]["annotations"] == {"g": "h"}
    assert ("DaemonSet", "continuous-image-puller") not in resources


def test_the_next_upgrade_pulls_other_images_only():
    def checksum(**values):
        return render(values)["ConfigMap", "hub"]["data"]["checksum_hook-image-puller"]

    assert checksum() == checksum(cull={"timeout": 60}) == checksum(prePuller={"hook": {"enabled": False}})
    assert checksum() != checksum(singleuser={"image": {"tag": "2026-01-05"}})


def test_no_pullers():
    resources = render({"prePuller": {"hook": {"enabled": False}, "continuous": {"enabled": False}}})
    assert not any("image" in name for _, name in resources)


def test_a_registry_with_a_login():
    login = {"create": True, "registry": "registry.example.org", "username": "ada", "password": "a secret"}
    resources = render({"imagePullSecret": login, "imagePullSecrets": ["mine"]})
    kept = json.loads(secret(resources, "image-pull-secret")[".dockerconfigjson"])["auths"]["registry.example.org"]
    assert base64.b64decode(kept["auth"]).decode() == "ada:a secret"
    for name in ("hub", "proxy"):
        used = resources["Deployment", name]["spec"]["template"]["spec"]["imagePullSecrets"]
        assert used == [{"name": "mine"}, {"name": "image-pull-secret"}]


def test_users_reach_neither_the_cloud_nor_the_clusters_own_network():
    egress = json.dumps(plain()["NetworkPolicy", "singleuser"]["spec"]["egress"])
    blocks = [rule["to"][0]["ipBlock"] for rule in json.loads(egress) if "ports" not in rule]
    (open_world,) = blocks
    assert {"10.0.0.0/8", "169.254.169.254/32"} <= set(open_world["except"])


COMMON = {
    "a small class": {
        "hub": {
            "config": {
                "JupyterHub": {"authenticator_class": "nativeauthenticator.NativeAuthenticator"},
                "Authenticator": {"admin_users": ["ada"], "allow_all": True},
            },
            "extraConfig": {"01-banner": "c.JupyterHub.template_vars = {'announcement': 'Hello'}\n"},
            "db": {"pvc": {"storageClassName": "csi-cinder", "storage": "2Gi"}},
        },
        "singleuser": {
            "memory": {"limit": "2G", "guarantee": "512M"},
            "cpu": {"limit": 2, "guarantee": 0.1},
            "storage": {"capacity": "5Gi", "dynamic": {"storageClass": "csi-cinder"}},
            "defaultUrl": "/lab",
            "extraEnv": {"GRANT_SUDO": "no"},
            "lifecycleHooks": {"postStart": {"exec": {"command": ["gitpuller", "https://example.org/x.git", "main"]}}},
        },
        "cull": {"enabled": True, "timeout": 7200, "every": 300},
        "prePuller": {"hook": {"enabled": False}, "continuous": {"enabled": False}},
        "scheduling": {"userScheduler": {"enabled": False}},
    },
    "GitHub logins behind an ingress": {
        "hub": {
            "config": {
                "GitHubOAuthenticator": {
                    "client_id": "id",
                    "client_secret": "secret",
                    "oauth_callback_url": "https://hub.example.org/hub/oauth_callback",
                    "allowed_organizations": ["example"],
                },
                "JupyterHub": {"authenticator_class": "github"},
            }
        },
        "proxy": {"service": {"type": "ClusterIP"}},
        "ingress": {"enabled": True, "hosts": ["hub.example.org"], "annotations": {"cert-manager.io/issuer": "le"}},
    },
    "GPUs and shared data": {
        "singleuser": {
            "image": {"name": "quay.io/jupyter/datascience-notebook", "tag": "2026-01-05"},
            "cmd": None,
            "profileList": [
                {"display_name": "CPU", "default": True},
                {
                    "display_name": "GPU",
                    "description": "One of them",
                    "kubespawner_override": {
                        "extra_resource_limits": {"nvidia.com/gpu": "1"},
                        "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}],
                    },
                },
            ],
            "extraResource": {"limits": {"nvidia.com/gpu": "1"}},
            "storage": {
                "extraVolumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}],
                "extraVolumeMounts": [{"name": "data", "mountPath": "/data", "readOnly": True}],
            },
            "extraTolerations": [{"key": "gpu", "operator": "Exists"}],
            "nodeSelector": {"pool": "gpu"},
            "networkPolicy": {"enabled": False},
        }
    },
    "a service that watches the hub": {
        "hub": {
            "services": {"watch": {"apiToken": "f" * 64, "url": "http://watch"}},
            "loadRoles": {"watch": {"scopes": ["list:users"], "services": ["watch"]}},
            "resources": {"requests": {"cpu": "200m", "memory": "512Mi"}},
            "extraEnv": [{"name": "A", "value": "b"}],
        }
    },
}


@pytest.mark.parametrize("values", COMMON.values(), ids=list(COMMON))
def test_values_that_people_write_are_taken(values):
    jsonschema.validate(values, schema())
    render(values)


REFUSED = [
    ({"hub": {"confg": {}}}, ("hub",), "confg"),
    ({"singelusr": {}}, (), "singelusr"),
    ({"hub": {"config": {"loadRoles": {}}}}, ("hub", "config"), "loadRoles"),
    ({"singleuser": {"memory": {"limit": "512Mi"}}}, ("singleuser", "memory", "limit"), "512Mi"),
    ({"singleuser": {"cpu": {"limit": "2"}}}, ("singleuser", "cpu", "limit"), "'2'"),
    ({"singleuser": {"image": {"tag": 4.4}}}, ("singleuser", "image", "tag"), "4.4"),
    ({"singleuser": {"profileList": [{"description": "x"}]}}, ("singleuser", "profileList", 0), "display_name"),
    ({"singleuser": {"storage": {"type": "static"}}}, ("singleuser", "storage", "static", "pvcName"), "None"),
    ({"hub": {"cookieSecret": "short"}}, ("hub", "cookieSecret"), "short"),
    ({"hub": {"db": {"type": "postgres"}}}, ("hub", "db", "url"), "None"),
    ({"hub": {"db": {"pvc": {"accessModes": "ReadWriteOnce"}}}}, ("hub", "db", "pvc", "accessModes"), "array"),
    ({"hub": {"extraFiles": {"a": {"mountPath": "/a"}}}}, ("hub", "extraFiles", "a"), "mountPath"),
    ({"proxy": {"service": {"type": "Loadbalancer"}}}, ("proxy", "service", "type"), "Loadbalancer"),
    ({"proxy": {"service": {"nodePorts": {"http": "30080"}}}}, ("proxy", "service", "nodePorts", "http"), "30080"),
    ({"proxy": {"https": {"enabled": True, "type": None}}}, ("proxy", "https", "type"), "None"),
    ({"proxy": {"https": {"enabled": True, "type": "manual"}}}, ("proxy", "https", "manual", "key"), "None"),
    ({"proxy": {"https": {"letsencrypt": {"email": "a@b.c"}}}}, ("proxy", "https", "letsencrypt"), "email"),
    (
        {"proxy": {"https": {"letsencrypt": {"acmeServer": "ca.b.c"}}}},
        ("proxy", "https", "letsencrypt", "acmeServer"),
        "ca.b.c",
    ),
    ({"proxy": {"traefik": {"hsts": {"maxAge": "1y"}}}}, ("proxy", "traefik", "hsts", "maxAge"), "1y"),
    ({"cull": {"timeout": "1h"}}, ("cull", "timeout"), "1h"),
    ({"hub": {"pdb": {"minAvailable": "half"}}}, ("hub", "pdb", "minAvailable"), "half"),
    ({"hub": {"deploymentStrategy": {"type": "Replace"}}}, ("hub", "deploymentStrategy", "type"), "Replace"),
    ({"prePuller": {"hook": {"enable": True}}}, ("prePuller", "hook"), "enable"),
    ({"httpRoute": {"gateway": "mine"}}, ("httpRoute", "gateway"), "mine"),
]


@pytest.mark.parametrize(("values", "place", "word"), REFUSED, ids=[json.dumps(each[0])[:60] for each in REFUSED])
def test_a_mistake_is_refused_at_its_place(values, place, word):
    """Both by the schema alone, as zerojhub checks it (on top of the chart's defaults), and by Helm."""
    done = helm("template", "workshop", CHART, "--kube-version=1.34.4", values=values)
    assert done.returncode != 0 and "schema" in done.stderr
    validator = jsonschema.Draft7Validator(schema())
    errors = list(validator.iter_errors(merge(yaml.safe_load((CHART / "values.yaml").read_text()), values)))
    found = [error for error in errors if tuple(error.absolute_path) == place]
    assert any(word in error.message for error in found), [(error.json_path, error.message) for error in errors]


def merge(under, over):
    if isinstance(under, dict) and isinstance(over, dict):
        return under | {key: merge(under.get(key), value) for key, value in over.items()}
    return over


def test_the_defaults_hold_a_place_for_every_key_of_the_schema_and_for_no_other():
    defaults = yaml.safe_load((CHART / "values.yaml").read_text())
    reason = {"global"}

    def resolve(part):
        return schema()["definitions"][part["$ref"].rsplit("/", 1)[1]] if "$ref" in part else part

    def compare(part, values, place):
        known = set(resolve(part).get("properties", {})) - reason
        if not known or not isinstance(values, dict):
            return
        assert known == set(values), place
        for key in known:
            compare(resolve(part)["properties"][key], values[key], (*place, key))

    compare(schema(), defaults, ())


def test_an_older_kubernetes_is_refused():
    done = helm("template", "workshop", CHART, "--kube-version=1.22.0")
    assert done.returncode != 0 and "kubeVersion" in done.stderr


def test_the_practice_images_have_the_jupyterhub_that_the_chart_names():
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    pins = (ROOT / "zerojhub/practice/images/jupyterhub/requirements.txt").read_text().splitlines()
    assert f"jupyterhub=={chart['appVersion']}" in pins
