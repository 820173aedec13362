"""JSON that every server reads alike, in time linear in its size; anything else is refused.

The standard library's decoder tells of fields that stand twice (`msgspec` keeps the last), so that is the one.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

from ponder.core.text.quoting import quoted
from ponder.gateway.errors import BadRequest
from ponder.gateway.wire.bounds import FIELDS, NUMBERS, VALUES, checked

__all__ = ["DEEPEST", "read_object"]

LONGEST_NUMBER = 400
"""Characters of a number with a point or an exponent: those of the largest and of the smallest that there is."""

DEEPEST = 200
"""Levels of lists and objects in a request; whatever keeps or forwards it must not run out of stack."""

# Possessive, and a text that does not end is one all the same: no byte is looked at twice.
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?+|-?\d[\d.eE+,\s-]*+|[\[{tfn]', re.DOTALL)

_HALF = re.compile(r"\\u[dD][89a-fA-F]")


def read_object(data: bytes) -> dict[str, Any]:
    """The object that a body is.

    Raises:
        BadRequest: it is none, or one that servers read in different ways, or it has too much in it.
    """
    brackets = data.count(b"[") + data.count(b"{")
    if brackets + data.count(b",") > VALUES // 2:  # each comes before a text and its value at most
        _count(data)
    try:
        text = str(data, "utf-8")
        value = _decoder.decode(text)
        if "\\u" in text and _HALF.search(text):
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise BadRequest("the body is no JSON: there is a half of a UTF-16 pair in it") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise BadRequest(f"the body is no JSON: {error}") from None
    except RecursionError:
        raise _too_deep() from None
    except ValueError:  # of int()
        raise BadRequest("a number in the body has thousands of digits") from None
    if not isinstance(value, dict):
        raise BadRequest(f"the body: expected an object, got {quoted(value)}")
    if len(value) > FIELDS:
        raise BadRequest(f"the body has {len(value):,} fields; at most {FIELDS} are taken")
    if brackets > DEEPEST:
        _check_depth(value)
    return value


def _number(text: str) -> float | int:
    """A whole number may be written ``3.0`` (JSON Schema, section 6.1.1)."""
    value = float(text)
    if len(text) > LONGEST_NUMBER or math.isinf(value):
        _constant(text)
    return int(value) if value.is_integer() else value


def _constant(text: str) -> None:
    raise BadRequest(f"the body is no JSON: {quoted(text)} is no number that servers can read")


_decoder = json.JSONDecoder(object_pairs_hook=checked, parse_float=_number, parse_constant=_constant)


def _count(data: bytes) -> None:
    """Refuse what has so much in it that to decode it would take long."""
    values = numbers = 0
    for token in _TOKEN.finditer(data):
        first = data[token.start()]
        if first == ord("-") or ord("0") <= first <= ord("9"):
            numbers += token[0].count(b",") + 1
        else:
            values += 1
        if values > VALUES or numbers > NUMBERS:
            raise BadRequest(
                f"there is too much in the body: at most {VALUES:,} values and {NUMBERS:,} numbers are taken"
            )


def _check_depth(value: Any) -> None:
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > DEEPEST:
            raise _too_deep()
        level = [
            one
            for outer in level
            for one in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(one, dict | list)
        ]


def _too_deep() -> BadRequest:
    return BadRequest(f"the body is nested more than {DEEPEST} levels deep")
