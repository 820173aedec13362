"""API keys: what a client shows, and what is kept of it."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time

from ponder.core.errors import InvalidOption
from ponder.gateway.accounts.base import Accounts, KeyRow

__all__ = ["ANONYMOUS", "authenticate", "check_name", "new_key"]

ANONYMOUS = "anonymous"
"""Whose requests they are where no key is asked for."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_TOKEN = re.compile(r"pk-([0-9a-f]{16})-([A-Za-z0-9_-]{43})")


def new_key(name: str) -> tuple[str, KeyRow]:
    """A new key: the token, which is shown once and never kept, and what is kept.

    The secret is 256 random bits, so nobody finds it by guessing, and a fast hash is as good as a slow one, which
    would make every request slow; scrypt and its like are for what people choose. So there is no salt either: no two
    secrets are the same. The public id finds the row; only the secret is compared.

    Raises:
        InvalidOption: the name is none.
    """
    check_name(name)
    id, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
    return f"pk-{id}-{secret}", KeyRow(id, name, _digest(secret), time.time(), None)


def check_name(name: str) -> None:
    """See that a key may be called so.

    Raises:
        InvalidOption: it may not.
    """
    if not _NAME.fullmatch(name):
        raise InvalidOption(f"key name {name!r:.80}: write letters, digits, '-', '_' and '.', 64 at most")
    if name == ANONYMOUS:
        raise InvalidOption(f"no key may be called {ANONYMOUS}, as those are who need none; [limits] is for them, too")


async def authenticate(token: str, accounts: Accounts) -> str | None:
    """The name of the key that `token` is, None if it is none or was revoked."""
    match = _TOKEN.fullmatch(token)
    if match is None:
        return None
    row = await accounts.key(match[1])
    known = row.digest if row is not None and row.revoked is None else bytes(32)
    return row.name if hmac.compare_digest(_digest(match[2]), known) and row is not None else None


def _digest(secret: str) -> bytes:
    return hashlib.blake2b(secret.encode(), digest_size=32, person=b"ponder key").digest()
