"""What a person says of a set of samples: which field of a record is what. docs/traces.md has examples."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from ponder.core.errors import InvalidOption, UnknownName

__all__ = ["Mapping", "read_mapping"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping:
    """Names of fields, of which all but `question` and `reference` hold one value for each sample.

    `samples` are texts; `answers` what they answer, without which `extract` finds it in the text: a regular expression
    whose last match is the answer, or what its first group holds; without either Ponder looks for it as it always does.
    `pairs` are answers with their lengths, ``[answer, tokens]``, in one field. `correct` says of each sample whether it
    is right, `scores` what a verifier gave, `lengths` counts tokens; without
    those a token is taken to have `characters_per_token`.
    """

    question: str
    name: str | None = None
    model: str = ""
    reference: str | None = None
    samples: str | None = None
    answers: str | None = None
    pairs: str | None = None
    extract: str | None = None
    correct: str | None = None
    scores: str | None = None
    lengths: str | None = None
    characters_per_token: float = 4.0


def read_mapping(file: Path) -> Mapping:
    """The mapping in a TOML file.

    Raises:
        UnknownName: a key that a mapping does not have.
        InvalidOption: it cannot be read, or says too little.
    """
    try:
        said = tomllib.loads(file.read_text())
    except OSError as error:
        raise InvalidOption(f"cannot read {file}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise InvalidOption(f"{file}: no valid TOML ({' '.join(str(error).split())})") from None
    known = {field.name for field in fields(Mapping)}
    for key, value in said.items():
        if key not in known:
            raise UnknownName("key of a mapping", key, known)
        _check(file, key, value)
    if "question" not in said or not said.keys() & {"samples", "answers", "pairs"}:
        raise InvalidOption(f"{file}: needs question, and samples, answers or pairs")
    if "pairs" in said and said.keys() & _IN_PAIRS:
        raise InvalidOption(f"{file}: pairs hold answers and lengths; leave out {', '.join(said.keys() & _IN_PAIRS)}")
    if not said.keys() & {"samples", "lengths", "pairs"}:
        raise InvalidOption(f"{file}: without samples there must be lengths")
    return Mapping(**said)


_IN_PAIRS = {"answers", "extract", "lengths"}


def _check(file: Path, key: str, value: Any) -> None:
    if key == "characters_per_token":
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0.01 <= value <= 1000:
            raise InvalidOption(f"{file}: {key} must be a number between 0.01 and 1000, not {value!r:.40}")
    elif not isinstance(value, str):
        raise InvalidOption(f"{file}: {key} must be text, not {value!r:.40}")
    elif key == "extract":
        try:
            re.compile(value)
        except (re.error, RecursionError, OverflowError) as error:
            raise InvalidOption(f"{file}: extract is no regular expression: {error}") from None
