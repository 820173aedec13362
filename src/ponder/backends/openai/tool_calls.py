"""Tool calls as servers send them, whole or in pieces, in the form that the chat API gives them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Hashable, Iterable, Mapping
from typing import Any

__all__ = ["ToolCalls", "as_calls"]

_SAID = {"function": "arguments", "custom": "input"}
"""What the model gives to a tool of each kind."""
_LAST = "last"
"""The key of pieces that have no index: they carry on what came last."""


class ToolCalls:
    """The calls of one choice in the making.

    Which call a piece belongs to is told, in this order, by its id; by its index; by what came last. A piece begins a
    new call if its id is new; if its index is; or if it names a function where the call so far has its arguments
    already. So servers that leave the index out, give it twice, count from 1 or with gaps, repeat id or name in every
    piece, or send a call in one piece, are all understood.
    """

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self._by_id: dict[str, int] = {}
        self._by_key: dict[Hashable, int] = {}

    def add(self, piece: Mapping[str, Any]) -> None:
        """Take over one piece."""
        kind = "custom" if isinstance(piece.get("custom"), Mapping) else "function"
        told = piece.get(kind)
        told = told if isinstance(told, Mapping) else {}
        name, said = _text(told.get("name")), _text(told.get(_SAID[kind]))
        identity, index = _text(piece.get("id")), piece.get("index")
        key: Hashable = index if isinstance(index, int) and not isinstance(index, bool) else _LAST
        at = self._find(identity, key, name, said)
        if at is None:
            at = len(self.calls)
            self.calls.append({"id": "", "type": kind, kind: {"name": "", _SAID[kind]: ""}})
        self._by_key[key] = self._by_key[_LAST] = at
        if identity:
            self._by_id[identity] = at
        call = self.calls[at]
        call["id"] = call["id"] or identity
        known = call[call["type"]]
        known["name"] = _carried_on(known["name"], name)
        known[_SAID[call["type"]]] = _more(known[_SAID[call["type"]]], said, told.get(_SAID[kind]))

    def _find(self, identity: str, key: Hashable, name: str, said: str) -> int | None:
        """The place of the call that a piece carries on, None if it begins one."""
        if identity in self._by_id:
            return self._by_id[identity]
        at = self._by_key.get(key)
        if at is None:
            return None
        call = self.calls[at]
        known = call[call["type"]]
        arguments = known[_SAID[call["type"]]]
        if identity and call["id"]:
            return None
        if not name or not known["name"]:
            return at
        if name == known["name"]:  # repeated in every piece, unless the arguments begin again
            return None if _is_whole(arguments) and said.lstrip().startswith("{") else at
        return None if arguments else at

    def finished(self) -> list[dict[str, Any]]:
        """The calls, each with an id."""
        return as_calls(self.calls)


def as_calls(calls: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Calls with what a server has left out: an id, a type, arguments as a text."""
    found = []
    for at, call in enumerate(calls):
        kind = "custom" if isinstance(call.get("custom"), Mapping) else "function"
        told = call.get(kind)
        if not isinstance(told, Mapping):
            found.append(dict(call))
            continue
        said = _text(told.get(_SAID[kind])) or ("{}" if kind == "function" else "")
        made = f"call_{hashlib.sha256(f'{at}{told}'.encode()).hexdigest()[:20]}"
        found.append({**call, "id": _text(call.get("id")) or made, "type": kind, kind: {**told, _SAID[kind]: said}})
    return found


def _text(value: object) -> str:
    """A field as text: arguments come as an object, too, or as null."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _carried_on(known: str, more: str) -> str:
    """A name that comes in pieces, is repeated, or grows."""
    return more if more.startswith(known) else known if known.startswith(more) and len(more) > 2 else known + more


def _more(known: str, said: str, sent: object) -> str:
    """Arguments that come in pieces; an object is all of them."""
    return known + said if isinstance(sent, str) else said or known


def _is_whole(arguments: str) -> bool:
    try:
        return isinstance(json.loads(arguments), dict)
    except ValueError:
        return False
