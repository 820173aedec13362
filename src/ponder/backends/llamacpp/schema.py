"""JSON schemas that the runtime cannot enforce.

It passes over them in silence, and the model then writes what it likes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from ponder.core.completion import Choice
from ponder.core.errors import Rejected

__all__ = ["refuse_bad_schema", "refuse_unforced"]


def refuse_bad_schema(schema: Mapping[str, Any] | None) -> None:
    """Raise if `schema` is none.

    Raises:
        Rejected: says where it is wrong.
    """
    if schema is None:
        return
    from jsonschema import Draft202012Validator, SchemaError

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise Rejected(f"this is no JSON schema: {' '.join(error.message.split())}") from None


def refuse_unforced(choices: Iterable[Choice], schema: Mapping[str, Any] | None) -> None:
    """Raise if a choice that the model ended itself does not fit `schema`.

    Raises:
        Rejected: the runtime has not enforced `schema`.
    """
    if schema is None:
        return
    from jsonschema import Draft202012Validator
    from referencing.exceptions import Unresolvable

    validator = Draft202012Validator(schema)
    for choice in choices:
        if choice.finish == "stop":
            with suppress(ValueError, Unresolvable, re.error):
                if validator.is_valid(json.loads(choice.text)):
                    continue
            raise Rejected("the embedded model cannot be held to this schema; use a simpler one")
