"""The authenticators that come with Zero to JupyterHub's image, by their names and classes."""

from __future__ import annotations

OAUTH = {
    "auth0": "oauthenticator.Auth0OAuthenticator",
    "azuread": "oauthenticator.AzureAdOAuthenticator",
    "bitbucket": "oauthenticator.BitbucketOAuthenticator",
    "cilogon": "oauthenticator.CILogonOAuthenticator",
    "generic-oauth": "oauthenticator.GenericOAuthenticator",
    "github": "oauthenticator.GitHubOAuthenticator",
    "gitlab": "oauthenticator.GitLabOAuthenticator",
    "globus": "oauthenticator.GlobusOAuthenticator",
    "google": "oauthenticator.GoogleOAuthenticator",
    "mediawiki": "oauthenticator.MWOAuthenticator",
    "okpy": "oauthenticator.OkpyOAuthenticator",
    "openshift": "oauthenticator.OpenShiftOAuthenticator",
}
OTHERS = {
    "ldapauthenticator": "ldapauthenticator.LDAPAuthenticator",
    "ldap": "ldapauthenticator.LDAPAuthenticator",
    "lti11": "ltiauthenticator.LTI11Authenticator",
    "lti13": "ltiauthenticator.LTI13Authenticator",
    "native": "nativeauthenticator.NativeAuthenticator",
    "pam": "jupyterhub.PAMAuthenticator",
    "shared-password": "jupyterhub.SharedPasswordAuthenticator",
    "tmp": "tmpauthenticator.TmpAuthenticator",
}
"""Authenticators by their short names. Those of OAuth have another with `local-` before it."""

OPEN = {
    "default": "jupyterhub.PAMAuthenticator",
    "dummy": "jupyterhub.DummyAuthenticator",
    "firstuse": "firstuseauthenticator.FirstUseAuthenticator",
    "hmac": "hmacauthenticator.HMACAuthenticator",
    "null": "jupyterhub.NullAuthenticator",
}
"""Those that need no setting to admit someone."""

SHORT_NAMES = {*OAUTH, *(f"local-{name}" for name in OAUTH), *OTHERS, *OPEN}
"""Everything that `authenticator_class` can be without a dot. JupyterHub ignores upper and lower case."""
CLASSES = {name.partition(".")[2]: short for short, name in (OAUTH | OTHERS | OPEN).items()}
"""The short name of each class."""
