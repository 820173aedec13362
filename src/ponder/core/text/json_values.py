"""JSON values as strings that are equal when the values are."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["canonical", "decode"]


def decode(text: str) -> Any:
    """The value of a JSON text, ``1.0`` read as ``1``.

    Raises:
        ValueError: it is no JSON, or is nested too deeply.
    """
    try:
        return json.loads(text, parse_float=_number)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def canonical(value: Any) -> str:
    """The value with its keys in order."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _number(text: str) -> float | int:
    value = float(text)
    return int(value) if value.is_integer() else value
