"""Where a model is served, as a user writes it, and the key that is shown there."""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote, urlsplit

from ponder.core.errors import InvalidOption

__all__ = ["VENDOR_URL", "Address", "Spec", "Wire", "key_in", "parse_spec"]

Wire = Literal["chat", "text"]
"""Which of the two: chat completions, or text completions (for models without a chat template)."""

VENDOR_URL = "https://api.openai.com/v1"


@dataclass(frozen=True, slots=True)
class Address:
    """A base URL without credentials, and apart from it the ``Authorization`` that its user and password make.

    `repr` shows the URL alone.
    """

    url: str
    authorization: str | None = None

    def __repr__(self) -> str:
        return f"Address({self.url!r})"

    @property
    def root(self) -> str:
        """Scheme, host and port: where servers keep what is not part of the chat API."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    @classmethod
    def of(cls, base_url: str) -> Address:
        """Read a base URL; without a path it gets ``/v1``.

        Raises:
            InvalidOption: it is no http or https URL.
        """
        try:
            parts = urlsplit(base_url.strip())
            parts.port  # noqa: B018  (reading it checks it)
        except ValueError:
            raise InvalidOption("the base URL is no URL: its host or port cannot be read") from None
        netloc = parts.netloc.rpartition("@")[2]
        shown = f"{parts.scheme}://{netloc}{parts.path}"
        if parts.scheme not in ("http", "https") or not parts.hostname or any(c.isspace() for c in netloc + parts.path):
            raise InvalidOption(f"the base URL {shown!r} is no URL; it should read like http://localhost:8000/v1")
        if parts.query or parts.fragment:
            raise InvalidOption(f"the base URL {shown!r} has a query or fragment after it; give it without")
        path = parts.path.rstrip("/") or "/v1"
        authorization = None
        if parts.username is not None:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            authorization = "Basic " + base64.b64encode(pair.encode()).decode()
        return cls(f"{parts.scheme}://{netloc}{path}", authorization)


@dataclass(frozen=True, slots=True)
class Spec:
    """A model spec in its parts; `kind` and `capabilities` are what it declares of the server, None if nothing."""

    model: str
    url: str
    wire: Wire
    kind: str | None = None
    capabilities: tuple[str, ...] | None = None

    def named(self) -> str | None:
        """The spec that opens the same again; None where the model and the address say it all."""
        if self.kind is None and self.capabilities is None:
            return None
        address = Address.of(self.url).url
        start = "openai" if self.wire == "chat" else "text"
        kind = [] if self.kind is None else [f"kind={self.kind}"]
        capabilities = [] if self.capabilities is None else [f"caps={','.join(self.capabilities)}"]
        at = "" if address == VENDOR_URL else f"@{address}"
        return f"{start}/{self.model}{at}?{'&'.join(kind + capabilities)}"


def parse_spec(spec: str) -> Spec:
    """The parts of ``"openai/MODEL"``, ``"openai/MODEL@URL"`` or ``"MODEL@URL"``.

    With ``text/`` in the place of ``openai/`` it is text completions. Without a URL it is OPENAI_BASE_URL, or else the
    vendor's. ``?kind=KIND&caps=+CAPABILITY,-CAPABILITY`` at the end declares the kind of server and what it can do.

    Raises:
        InvalidOption: there is no model, what follows the ``@`` is no URL, or what follows the ``?`` is unknown.
    """
    spec, _, query = spec.partition("?")
    model, at, url = spec.partition("@")
    wire: Wire = "text" if model.startswith("text/") else "chat"
    model = model.removeprefix("text/" if wire == "text" else "openai/").strip()
    if not model:
        start = "text" if wire == "text" else "openai"
        raise InvalidOption(f"no model name; write {start}/MODEL or {start}/MODEL@http://host:port/v1")
    if at and not url.startswith(("http://", "https://")):
        raise InvalidOption(f"after {model + '@'!r} comes a URL that starts with http:// or https://")
    declared = _declared(query)
    capabilities = declared.get("caps")
    return Spec(
        model, url or os.environ.get("OPENAI_BASE_URL") or VENDOR_URL, wire, declared.get("kind"),
        None if capabilities is None else tuple(name.strip() for name in capabilities.split(",")),
    )  # fmt: skip


def _declared(query: str) -> dict[str, str]:
    """What stands after the ``?``; not unquoted, for a ``+`` is a plus."""
    found: dict[str, str] = {}
    for part in filter(None, query.split("&")):
        name, equals, value = part.partition("=")
        if name not in ("kind", "caps") or not equals or not value.strip():
            raise InvalidOption(
                f"{name!r} after the ? of a model spec; known: kind=KIND and caps=+CAPABILITY,-CAPABILITY"
            )
        if name in found:
            raise InvalidOption(f"{name} is given twice in a model spec")
        found[name] = value.strip()
    return found


def key_in(variable: str) -> str:
    """The API key in an environment variable; "" without one.

    Raises:
        InvalidOption: what it holds is none.
    """
    key = os.environ.get(variable, "").strip()
    if not (key.isascii() and key.isprintable()):
        raise InvalidOption(f"{variable} holds characters that no key has; set it again")
    return key
