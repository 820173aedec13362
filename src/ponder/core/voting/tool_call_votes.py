"""Tool calls as values, so that they can be voted on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ponder.core.text.json_values import canonical, decode

__all__ = ["calls_as_value"]


def calls_as_value(calls: Sequence[Mapping[str, Any]]) -> str | None:
    """The calls of one reply in a form in which equal calls are equal strings; None if one cannot be carried out.

    What counts is each function's name and its arguments as JSON, or a custom tool's name and its input: not the ids,
    not the spelling, and not the order, since the calls of one reply do not wait for each other. Arguments that are no
    JSON object cannot be carried out.
    """
    values = []
    for call in calls:
        custom = call.get("custom")
        if isinstance(custom, Mapping) and custom.get("name"):
            values.append(f"{custom['name']}({canonical(custom.get('input'))})")
            continue
        function = call.get("function") or {}
        try:
            arguments = decode(function.get("arguments") or "{}")
        except (ValueError, TypeError):
            return None
        if not isinstance(arguments, dict) or not function.get("name"):
            return None
        values.append(f"{function['name']}({canonical(arguments)})")
    return "; ".join(sorted(values))
