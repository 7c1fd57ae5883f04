"""Where Zero to JupyterHub's chart has moved its keys, by its changelog and the messages of its templates."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from zerojhub.hub.repository import numbers

_OAUTH = {
    "azuread": "AzureAdOAuthenticator",
    "cilogon": "CILogonOAuthenticator",
    "github": "GitHubOAuthenticator",
    "gitlab": "GitLabOAuthenticator",
    "globus": "GlobusOAuthenticator",
    "google": "GoogleOAuthenticator",
    "mediawiki": "MWOAuthenticator",
}
_AUTH = {
    "": "",
    "type": "JupyterHub.authenticator_class",
    "custom.className": "JupyterHub.authenticator_class",
    "scopes": "OAuthenticator.scope",
    "state.enabled": "Authenticator.enable_auth_state",
    "state.cryptoKey": "CryptKeeper.keys",
    "admin.access": "JupyterHub.admin_access",
    "admin.users": "Authenticator.admin_users",
    "whitelist.users": "Authenticator.allowed_users",
    "allowedUsers": "Authenticator.allowed_users",
    **{f"{name}.clientId": f"{kind}.client_id" for name, kind in _OAUTH.items()},
    **{f"{name}.clientSecret": f"{kind}.client_secret" for name, kind in _OAUTH.items()},
    **{f"{name}.callbackUrl": f"{kind}.oauth_callback_url" for name, kind in _OAUTH.items()},
    "azuread.tenantId": "AzureAdOAuthenticator.tenant_id",
    "azuread.usernameClaim": "AzureAdOAuthenticator.username_claim",
    "github.org_whitelist": "GitHubOAuthenticator.allowed_organizations",
    "github.orgWhitelist": "GitHubOAuthenticator.allowed_organizations",
    "github.allowedOrganizations": "GitHubOAuthenticator.allowed_organizations",
    "gitlab.gitlabGroupWhitelist": "GitLabOAuthenticator.allowed_gitlab_groups",
    "gitlab.allowedGitlabGroups": "GitLabOAuthenticator.allowed_gitlab_groups",
    "gitlab.gitlabProjectIdWhitelist": "GitLabOAuthenticator.allowed_project_ids",
    "gitlab.allowedProjectIds": "GitLabOAuthenticator.allowed_project_ids",
    "gitlab.gitlabUrl": "GitLabOAuthenticator.gitlab_url",
    "google.hostedDomain": "GoogleOAuthenticator.hosted_domain",
    "google.loginService": "GoogleOAuthenticator.login_service",
    "mediawiki.indexUrl": "MWOAuthenticator.index_url",
    "dummy.password": "DummyAuthenticator.password",
    "hmac.secretKey": "HMACAuthenticator.secret_key",
    "lti.consumers": "LTIAuthenticator.consumers",
    "ldap.server.address": "LDAPAuthenticator.server_address",
    "ldap.server.port": "LDAPAuthenticator.server_port",
    "ldap.server.ssl": "LDAPAuthenticator.use_ssl",
    "ldap.allowedGroups": "LDAPAuthenticator.allowed_groups",
    "ldap.dn.templates": "LDAPAuthenticator.bind_dn_template",
    "ldap.dn.lookup": "LDAPAuthenticator.lookup_dn",
    "ldap.dn.search.filter": "LDAPAuthenticator.lookup_dn_search_filter",
    "ldap.dn.search.user": "LDAPAuthenticator.lookup_dn_search_user",
    "ldap.dn.search.password": "LDAPAuthenticator.lookup_dn_search_password",
    "ldap.dn.user.dnAttribute": "LDAPAuthenticator.lookup_dn_user_dn_attribute",
    "ldap.dn.user.escape": "LDAPAuthenticator.escape_userdn",
    "ldap.dn.user.validRegex": "LDAPAuthenticator.valid_username_regex",
    "ldap.dn.user.searchBase": "LDAPAuthenticator.user_search_base",
    "ldap.dn.user.attribute": "LDAPAuthenticator.user_attribute",
    "ldap.dn.user.useLookupName": "LDAPAuthenticator.use_lookup_dn_username",
}
_SERVICE_ACCOUNTS = "serviceAccount.create of hub, proxy.traefik, scheduling.userScheduler and prePuller.hook"
MOVED: dict[str, tuple[str, str]] = {
    "name": ("0.4.0", ""),
    "createNamespace": ("0.4.0", ""),
    "token.proxy": ("0.4.0", "proxy.secretToken"),
    "publicIP": ("0.4.0", "proxy.service.loadBalancerIP"),
    "builder": ("0.4.0", ""),
    "hub.db.storageClass": ("0.4.0", "hub.db.pvc.storageClassName"),
    "singleuser.storage.storageClass": ("0.4.0", "singleuser.storage.dynamic.storageClass"),
    "admin.access": ("0.5.0", "hub.config.JupyterHub.admin_access"),
    "admin.users": ("0.5.0", "hub.config.Authenticator.admin_users"),
    "statsd": ("0.5.0", ""),
    "proxy.image": ("0.5.0", "proxy.chp.image"),
    "proxy.cmd": ("0.5.0", "proxy.chp.extraCommandLineFlags"),
    "proxy.resources": ("0.5.0", "proxy.chp.resources"),
    "ingress.https": ("0.5.0", "ingress.tls"),
    "prePuller.enabled": ("0.6.0", "prePuller.hook.enabled"),
    "prePuller.image": ("0.6.0", "prePuller.hook.image"),
    "cull.podCuller": ("0.8.0", ""),
    "hub.extraConfigMap": ("1.0.0", "custom"),
    "singleuser.schedulerStrategy": ("0.8.0", "scheduling.userScheduler"),
    "hub.imagePullPolicy": ("0.9.0", "hub.image.pullPolicy"),
    "hub.uid": ("1.0.0", "hub.containerSecurityContext.runAsUser"),
    "proxy.nginx": ("0.9.0", "proxy.traefik"),
    "proxy.lego": ("0.9.0", "proxy.traefik"),
    "hub.imagePullSecret": ("0.10.0", "imagePullSecret"),
    "singleuser.imagePullSecret": ("0.10.0", "imagePullSecret"),
    "proxy.nodeSelector": ("0.10.0", "proxy.chp.nodeSelector and proxy.traefik.nodeSelector"),
    "proxy.networkPolicy": ("0.10.0", "proxy.chp.networkPolicy and proxy.traefik.networkPolicy"),
    "proxy.containerSecurityContext": ("0.10.0", "proxy.chp.containerSecurityContext"),
    "scheduling.userScheduler.policy": ("0.10.0", "scheduling.userScheduler.plugins"),
    **{
        f"auth.{old}".rstrip("."): ("0.11.0", f"hub.config.{new}".rstrip(".")) for old, new in _AUTH.items()
    },
    "proxy.pdb": ("0.11.0", "proxy.chp.pdb"),
    "hub.publicURL": ("1.0.0", ""),
    "singleuser.cloudMetadata.enabled": ("1.0.0", "singleuser.cloudMetadata.blockWithIptables, with the opposite value"),
    "hub.fsGid": ("2.0.0", "hub.podSecurityContext.fsGroup"),
    "rbac.enabled": ("2.0.0", f"rbac.create, and {_SERVICE_ACCOUNTS}"),
    "httpRoute.gateway": ("5.0.0", "httpRoute.parentRefs"),
}  # fmt: skip
"""By the old key: the chart version since which it is refused or ignored, and its new place; empty if it has none."""


def moved(
    values: Any, chart: str, place: tuple[str, ...] = (), where: str = ""
) -> Iterator[tuple[tuple[str, ...], str]]:
    """The places in the values that a chart of this version no longer has, and what became of them.

    `where` is what became of the section at `place`, for keys in it that have no entry of their own.
    """
    for key, value in values.items():
        there = (*place, key)
        name = ".".join(there)
        since, new = MOVED.get(name, ("", ""))
        if since and numbers(since) > numbers(chart):
            continue
        became = (f"since chart {since}: {new}" if new else f"removed in chart {since}") if since else where
        if isinstance(value, dict) and any(known.startswith(f"{name}.") for known in MOVED):
            yield from moved(value, chart, there, became)
        elif became:
            yield there, became
