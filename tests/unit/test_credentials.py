"""A cluster's cloud-config, in the formats that drivers write."""

from __future__ import annotations

import pytest

from zerojhub.cluster.credentials import Held, parse
from zerojhub.errors import ZeroJHubError

TRUST = """\
[Global]
auth-url=https://keystone.example/v3
user-id=1234
password="a%b;c"
trust-id=5678
ca-file=/etc/kubernetes/ca-bundle.crt
[LoadBalancer]
use-octavia=True
"""
USE_CLOUDS = """\
[Global]
use-clouds=true
clouds-file=/etc/config/clouds.yaml
cloud=openstack
ca-file=/etc/config/cacert
"""
CLOUDS = """\
clouds:
  openstack:
    identity_api_version: 3
    region_name: RegionOne
    interface: public
    verify: false
    auth: {auth_url: "https://keystone.example/v3", application_credential_id: "99", application_credential_secret: s}
    auth_type: v3applicationcredential
"""


def test_magnums_own_form():
    held = Held("there", parse({"cloud-config": TRUST}))
    assert (held.kind, held.id) == ("trust", "5678")
    assert held.settings["password"] == "a%b;c"


def test_the_form_that_leaves_it_to_clouds_yaml():
    held = Held("there", parse({"cacert": "", "cloud.conf": USE_CLOUDS, "clouds.yaml": CLOUDS}))
    assert (held.kind, held.id) == ("application credential", "99")
    assert held.settings == {
        "auth-url": "https://keystone.example/v3",
        "application-credential-id": "99",
        "application-credential-secret": "s",
        "region": "RegionOne",
        "tls-insecure": "true",
    }


def test_what_is_no_cloud_config():
    with pytest.raises(ZeroJHubError, match="no cloud-config in a, b"):
        parse({"a": "", "b": "[LoadBalancer]"})
