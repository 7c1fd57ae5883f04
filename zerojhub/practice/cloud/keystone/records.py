"""Keystone's records: application credentials and trusts."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

from zerojhub.practice.cloud.keystone.errors import incorrect
from zerojhub.practice.cloud.store import Record, Store, hex_id

MICROSECONDS = "%Y-%m-%dT%H:%M:%S.%fZ"


def parse_time(text: str) -> datetime:
    """Parse a client's timestamp; without a zone it is UTC."""
    try:
        given = datetime.fromisoformat(text)
    except ValueError:
        raise incorrect("Timestamp not in expected format") from None
    return given if given.tzinfo else given.replace(tzinfo=UTC)


def new_credential(store: Store, user: str, project: str, name: str, **more: object) -> Record:
    """A new application credential: its secret allows acting in the project as the user."""
    credential = {
        "id": hex_id(),
        "name": name,
        "description": None,
        "user_id": user,
        "project_id": project,
        "roles": list(store.roles.values()),
        "expires_at": None,
        "unrestricted": False,
        "system": None,
        "secret": secrets.token_urlsafe(64),
        **more,
    }
    return store.application_credentials.add(credential)


def end_credential(store: Store, ident: str) -> None:
    """Delete the application credential, if it exists, and revoke its tokens."""
    gone = store.application_credentials.pop(ident, None)
    store.tokens = {
        key: token for key, token in store.tokens.items() if not gone or token.application_credential != gone
    }


def new_trust(store: Store, trustor: str, trustee: str, project: str) -> Record:
    """A new trust: the trustee may act in the project as the trustor."""
    trust = {
        "id": hex_id(),
        "trustor_user_id": trustor,
        "trustee_user_id": trustee,
        "project_id": project,
        "impersonation": True,
        "roles": list(store.roles.values()),
        "expires_at": None,
        "deleted_at": None,
        "remaining_uses": None,
        "redelegation_count": 0,
    }
    return store.trusts.add(trust)
