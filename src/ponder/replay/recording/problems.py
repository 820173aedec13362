"""Where the questions of a recording come from."""

from __future__ import annotations

import importlib
import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ponder.core.errors import InvalidOption, InvalidProblem, MissingCapability, UnknownName, describe
from ponder.core.methods.specs import read_spec
from ponder.core.problem import Problem

__all__ = ["MOST_QUESTIONS", "Asked", "problems_in", "suite"]

MOST_QUESTIONS = 100_000

_MOST_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as it stands in its source, and its right answer if there is one."""

    question: str
    reference: str | None

    @property
    def problem(self) -> Problem:
        """What the model is asked."""
        return Problem.of(self.question)


def problems_in(file: Path) -> list[Asked]:
    """The questions in a JSONL file: one object a line with ``question`` and, where known, ``reference``.

    Raises:
        InvalidProblem: it cannot be read, or a line is not that; the text names the line.
    """
    try:
        with file.open("rb") as stream:
            data = stream.read(_MOST_BYTES)
        lines = data.decode().split("\n")
    except OSError as error:
        raise InvalidProblem(f"cannot read {file}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise InvalidProblem(f"{file} is not UTF-8 text: byte {error.start}") from None
    asked = [_asked(f"{file}, line {number}", line) for number, line in enumerate(lines, 1) if line.strip()]
    if not 1 <= len(asked) <= MOST_QUESTIONS or len(data) == _MOST_BYTES:
        raise InvalidProblem(f"{file} has {len(asked):,} questions; 1 to {MOST_QUESTIONS:,} are possible")
    return asked


def _asked(place: str, line: str) -> Asked:
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InvalidProblem(f"{place}: no valid JSON ({' '.join(str(error).split())})") from None
    if not isinstance(fields, dict) or not isinstance(fields.get("question"), str):
        raise InvalidProblem(f"{place}: must be an object with a text 'question'")
    reference = fields.get("reference")
    if isinstance(reference, bool) or not isinstance(reference, str | int | float | None):
        raise InvalidProblem(f"{place}: 'reference' must be text or a number, or be left out")
    asked = Asked(fields["question"], None if reference is None else str(reference))
    try:
        Problem.of(asked.question)
    except InvalidProblem as error:
        raise InvalidProblem(f"{place}: {error}") from None
    return asked


def suite(spec: str, size: int, seed: int) -> list[Asked]:
    """The first `size` questions of a suite that is generated from `seed`, such as ``reasoning-gym:gsm_symbolic``.

    Options of the family follow its name: ``reasoning-gym:chain_sum(max_terms=4)``.

    Raises:
        UnknownName: no such suite.
        InvalidOption: `size` is out of bounds.
        MissingCapability: what generates it is not installed.
    """
    if not 1 <= size <= MOST_QUESTIONS:
        raise InvalidOption(f"{size} questions; 1 to {MOST_QUESTIONS:,} are possible")
    kind, _, name = spec.partition(":")
    if kind not in _SUITES:
        raise UnknownName("suite", kind, _SUITES)
    return _SUITES[kind](name, size, seed)


def _reasoning_gym(spec: str, size: int, seed: int) -> list[Asked]:
    """A family of tasks of reasoning-gym (Stojanovski et al. 2025, arXiv 2505.24760), with its own options."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            factory: Any = importlib.import_module("reasoning_gym.factory")
            importlib.import_module("reasoning_gym")
    except ModuleNotFoundError:
        raise MissingCapability("the suite reasoning-gym needs a package: pip install 'ponder[suites]'") from None
    read = read_spec("family of reasoning-gym", spec)
    if read.name not in factory.DATASETS:
        raise UnknownName("family of reasoning-gym", read.name, factory.DATASETS)
    options = {key: _value(text) for key, text in read.texts}
    try:
        tasks = factory.create_dataset(read.name, **options, size=size, seed=seed)
    except (TypeError, ValueError, AssertionError) as error:
        raise InvalidOption(f"reasoning-gym refuses {spec}: {describe(error)}") from None
    return [Asked(tasks[i]["question"], _reference(tasks[i])) for i in range(size)]


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _reference(task: dict[str, Any]) -> str | None:
    return None if task["answer"] is None else str(task["answer"])


_SUITES: dict[str, Callable[[str, int, int], list[Asked]]] = {"reasoning-gym": _reasoning_gym}
