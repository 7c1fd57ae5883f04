"""Questions to providers: where their endpoints are, and whether they know the hub.

No question is asked twice unless the answer is lost: providers lock clients out, and write down what fails.
"""

from __future__ import annotations

import json
import re
import secrets
import ssl
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from zerojhub import retry
from zerojhub.errors import UserError, ZeroJHubError
from zerojhub.logins.facts import Answer, Endpoints, Facts, host_of, unslashed
from zerojhub.retry import Transient
from zerojhub.text import one_line
from zerojhub.tls import trusted

if TYPE_CHECKING:
    import httpx

    from zerojhub.logins.kind import OAuth

TIMEOUT = 20
"""Seconds for an answer."""
EXPIRED = 10
"""OpenSSL's X509_V_ERR_CERT_HAS_EXPIRED."""
UNTRUSTED = "its certificate is not trusted"
WELL_KNOWN = "/.well-known/openid-configuration"
CODE = "zerojhub-asks-whether-the-client-is-known"
"""An authorization code that no provider has given."""

UNREGISTERED = "https://zerojhub.invalid/hub/oauth_callback"
"""A URL that nobody can have registered (RFC 6761, 6.4)."""

WRONG_CLIENT = {"invalid_client", "unauthorized_client", "incorrect_client_credentials"}
"""Errors of token endpoints for a wrong ID or secret (RFC 6749, 5.2; the last is GitHub's)."""
WRONG_CODE = {"invalid_grant", "bad_verification_code"}
"""Errors for a wrong code, which come after those for the client."""
WRONG_URL = {"redirect_uri_mismatch"}
UNKNOWN_CLIENT = re.compile(r"AADSTS700016|client was not found", re.I)
EXPIRED_SECRET = re.compile(r"AADSTS7000222|secret.{0,40}expired", re.I)
ENTRA_ERRORS = {"AADSTS7000215": "invalid_client", "AADSTS7000222": "invalid_client", "AADSTS700016": "invalid_client"}
"""Codes of Entra ID, whose `error` is not always that of the standard."""
REDIRECT_REFUSED = re.compile(r"redirect[ _-]?ur[il]|AADSTS50011|callback url", re.I)
CLIENT_REFUSED = re.compile(r"client[ _-]?(id|not found|application)|invalid_client|AADSTS700016", re.I)


async def discover(issuer: str, facts: Facts, *, scope: list[str], userinfo: bool) -> Endpoints:
    """The endpoints in the provider's discovery document. ZeroJHubError if there is none, or it is another provider's.

    `scope`: what the hub will ask for. `userinfo`: the provider must have such an endpoint.
    """
    url = unslashed(issuer) + WELL_KNOWN
    answer = await _send("GET", url, facts)
    if answer.status_code == 404:
        raise UserError(
            f"{url}: there is no such document (404)",
            hint="issuer is what the provider calls its issuer, without /.well-known and what follows"
            + (", such as https://HOST/realms/REALM" if "/realms/" not in issuer else ""),
        )
    document = _json(answer, url)
    if unslashed(str(document.get("issuer"))) != unslashed(issuer):
        raise UserError(
            f"{url} is of the issuer {one_line(str(document.get('issuer')))[:200]}", hint="set issuer to exactly that"
        )
    needed = {"authorization_endpoint", "token_endpoint"} | ({"userinfo_endpoint"} if userinfo else set())
    if missing := sorted(key for key in needed if not str(document.get(key, "")).startswith("http")):
        raise UserError(f"{url} has no {' and no '.join(missing)}", hint="the hub cannot work with this provider")
    scopes = document.get("scopes_supported")
    offered = tuple(map(str, scopes)) if isinstance(scopes, list) else None
    # By OpenID Connect Discovery 1.0, section 3, the header is the default.
    methods = document.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
    return Endpoints(
        str(document["authorization_endpoint"]),
        str(document["token_endpoint"]),
        str(document.get("userinfo_endpoint", "")),
        basic_auth="client_secret_post" not in methods,
        unlisted=tuple(each for each in scope if offered and each not in offered),
    )


async def ask(login: OAuth, endpoints: Endpoints, facts: Facts) -> Answer:
    """Whether the provider knows the client, its secret, and the URL to which it shall send users back."""
    found = Answer(untested=["logging in, which needs a person with an account"])
    if endpoints.unlisted:
        found.untested.append(f"the scope {', '.join(endpoints.unlisted)}, which {login.title} does not list")
    try:
        await _ask_about_client(login, endpoints, facts, found)
        await _ask_about_callback(login, endpoints, facts, found)
    except ZeroJHubError as error:
        found.problems.append(error)
    return found


async def ask_keys(url: str, facts: Facts) -> Answer:
    """Whether there are keys at the URL, with which the platform signs who its users are."""
    found = Answer(untested=["opening the hub from a course"])
    try:
        keys = _json(await _send("GET", url, facts), url).get("keys")
        if not isinstance(keys, list) or not keys:
            raise UserError(f"{url}: there are no keys", hint="jwks_url is the platform's public keyset URL")
        found.proven.append("the platform's keys are there")
    except ZeroJHubError as error:
        found.problems.append(error)
    return found


async def ask_keystone(url: str, facts: Facts) -> Answer:
    """Whether Keystone is there."""
    found = Answer(untested=["a password"])
    try:
        version = _json(await _send("GET", f"{url}/v3", facts), f"{url}/v3").get("version")
        if not isinstance(version, dict) or not str(version.get("id")).startswith("v3"):
            raise UserError(f"{url}/v3 is not Keystone", hint="auth_url is the one in clouds.yaml")
        found.proven.append(f"Keystone {version['id']} answers")
    except ZeroJHubError as error:
        found.problems.append(error)
    return found


async def _ask_about_client(login: OAuth, endpoints: Endpoints, facts: Facts, found: Answer) -> None:
    """Ask for a token with a code that nobody has given: the error tells what the provider looks at first."""
    secret = facts.secrets["client_secret"]
    form = {
        "grant_type": "authorization_code",
        "code": CODE,
        "redirect_uri": facts.callback,
        "code_verifier": secrets.token_urlsafe(32),
    }
    headers = {"Accept": "application/json"}
    if endpoints.basic_auth:
        import httpx

        # By RFC 6749, 2.3.1, both would be encoded as in a form first; OAuthenticator does not do so.
        credentials = httpx.BasicAuth(login.client_id, secret)
        answer = await _send("POST", endpoints.token, facts, data=form, headers=headers, auth=credentials)
    else:
        form |= {"client_id": login.client_id, "client_secret": secret}
        answer = await _send("POST", endpoints.token, facts, data=form, headers=headers)
    code, text = _error_of(answer)
    said = f" ({text[:200]})" if text else ""
    if code in WRONG_CLIENT:
        if UNKNOWN_CLIENT.search(text):
            raise UserError(f"{login.title} does not know the client {login.client_id}{said}", hint="check client_id")
        if EXPIRED_SECRET.search(text):
            raise UserError(
                f"the client secret has expired{said}", hint=f"make a new one at {host_of(endpoints.authorize)}"
            )
        raise UserError(
            f"{login.title} refuses the client ID or its secret: {code}{said}", hint="check client_id and the secret"
        )
    if code in WRONG_URL:
        raise _wrong_callback(login, facts, said)
    if code in WRONG_CODE:
        found.proven.append("it knows the client and its secret")
    else:
        found.untested.append(
            f"the client secret: {host_of(endpoints.token)} answered {answer.status_code} {code}".rstrip()
        )


async def _ask_about_callback(login: OAuth, endpoints: Endpoints, facts: Facts, found: Answer) -> None:
    """Begin a login as a browser would. Some providers check the URL first, others once a user has logged in.

    The first are told from the others by another question, with a URL that nobody has registered.
    """
    refused, said = await _refused(login, endpoints, facts, facts.callback)
    if refused == "client":
        raise UserError(f"{login.title} does not know the client {login.client_id}{said}", hint="check client_id")
    if refused == "callback":
        raise _wrong_callback(login, facts, said)
    if not refused and (await _refused(login, endpoints, facts, UNREGISTERED))[0]:
        found.proven.append(f"it sends users back to {facts.callback}")
    else:
        found.untested.append(f"whether {facts.callback} is registered there{said}")


async def _refused(login: OAuth, endpoints: Endpoints, facts: Facts, callback: str) -> tuple[str, str]:
    """What the provider refuses of a login that would end at that URL, and its words: `client`, `callback` or `something`."""
    query = {
        "response_type": "code",
        "client_id": login.client_id,
        "redirect_uri": callback,
        "scope": "openid" if endpoints.userinfo else "",
        "state": secrets.token_hex(8),
    }
    query = {key: value for key, value in query.items() if value}
    answer = await _send("GET", endpoints.authorize, facts, params=query)
    location = answer.headers.get("Location", "")
    code, text = _error_of(answer)
    if location:
        asked = dict(parse_qsl(urlsplit(location).query))
        code, text = asked.get("error", ""), asked.get("error_description", "")
        if not code or (location.startswith(callback) and code not in WRONG_CLIENT):
            return "", ""  # whatever it lacks, it sends users there
    elif answer.status_code < 400:
        return "", ""
    said = f" ({one_line(f'{answer.status_code} {code} {text}')[:200]})"
    if code in WRONG_URL or REDIRECT_REFUSED.search(text):
        return "callback", said
    if code in WRONG_CLIENT or CLIENT_REFUSED.search(text):
        return "client", said
    return "something", said


def _wrong_callback(login: OAuth, facts: Facts, said: str) -> UserError:
    return UserError(
        f"{login.title} would not send users back to {facts.callback}{said}",
        hint="register exactly this URL there as redirect URI of the client",
    )


def _error_of(answer: httpx.Response) -> tuple[str, str]:
    """The error in an answer: its code, if it has one, and the text; without what looks like a secret."""
    from zerojhub import masking

    text = answer.text
    try:
        body = json.loads(text)
    except ValueError:
        body = dict(parse_qsl(text)) if "error=" in text[:200] else None
    if isinstance(body, dict):
        code, text = str(body.get("error", "")), str(body.get("error_description", ""))
        code = next((standard for mark, standard in ENTRA_ERRORS.items() if mark in text), code)
    else:
        code, text = "", re.sub(r"(?s)<(script|style)\b.*?</\1>|<[^>]*>", " ", text)
    return code, masking.mask_known(one_line(text))


def _json(answer: httpx.Response, url: str) -> Mapping[str, Any]:
    """The answer's JSON object. ZeroJHubError if it is none."""
    if answer.status_code >= 400:
        raise ZeroJHubError(f"{url} answered {answer.status_code}")
    try:
        found = json.loads(answer.text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ZeroJHubError(f"{url} is not JSON")
    return found


async def _send(method: str, url: str, facts: Facts, **given: Any) -> httpx.Response:
    """The provider's answer. ZeroJHubError if there is none, with the reason in words."""
    import httpx

    host, verify = host_of(url), trusted()
    if facts.cacert:
        verify = httpx.create_ssl_context()
        verify.load_verify_locations(cadata=facts.cacert)

    async def attempt() -> httpx.Response:
        try:
            async with httpx.AsyncClient(timeout=TIMEOUT, verify=verify) as client:
                answer = await client.request(method, url, **given)
        except httpx.RequestError as error:
            fault = retry.of_exception(host, error)
            why = next(_reasons(error), fault.answer if fault else str(error) or type(error).__name__)
            hint = "if its authority is one of your own: set ca_file" if why.startswith(UNTRUSTED) else None
            failed = ZeroJHubError(f"{host} cannot be reached: {why}", hint=hint)
            raise (Transient(fault, failed) if fault else failed) from None
        # What a client's password is refused with is not asked for again.
        if method == "GET" and (fault := retry.of_status(host, answer.status_code, answer.headers)):
            raise Transient(fault, ZeroJHubError(f"{host} answered {answer.status_code}"))
        return answer

    return await retry.attempts(attempt, repeatable=True)


def _reasons(error: BaseException | None) -> Iterator[str]:
    """Why a certificate was not accepted, or that the name is unknown, in words."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            if error.verify_code == EXPIRED:
                yield "its certificate has expired"
            yield f"{UNTRUSTED}: {error.verify_message}"
        if isinstance(error, OSError) and type(error).__name__ == "gaierror":
            yield "there is no such host"
        error = error.__cause__ or error.__context__
