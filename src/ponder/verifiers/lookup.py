"""Verifiers by name."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

from ponder.core.errors import InvalidOption, PonderError, UnknownName, describe
from ponder.core.methods.options import Between, parse
from ponder.core.problem import Verifier
from ponder.verifiers.choice import Choice
from ponder.verifiers.exact import Exact
from ponder.verifiers.function import Function
from ponder.verifiers.maths import Math
from ponder.verifiers.p_yes import MAX_RATIONALES, PYes
from ponder.verifiers.regex import Regex
from ponder.verifiers.schema import JsonSchema

__all__ = ["EXAMPLES", "NAMES", "SIGNATURE", "resolve"]

NAMES = {
    "choice": "the letter of a multiple choice equals the reference",
    "exact": "the answer is the reference, character by character",
    "json-schema:FILE": "the answer is JSON that the schema in FILE allows",
    "math": "the answer means the same as the reference",
    "p-yes(k=0)": "the model's own probability that the answer is right; with k checks in writing before the verdict",
    "regex:PATTERN": "the pattern is found in the answer",
    "MODULE:NAME": "what a function of your own gives; MODULE may be a path to a .py file",
}
"""What `resolve` understands: spec -> one line for help texts."""

EXAMPLES = {
    "choice": "choice",
    "exact": "exact",
    "json-schema:FILE": "json-schema:point.json",
    "math": "math",
    "p-yes(k=0)": "'p-yes(k=4)'",
    "regex:PATTERN": r"'regex:^\d{4}$'",
    "MODULE:NAME": "./checks.py:is_short",
}
"""One spec for each of the names, quoted for a shell."""

SIGNATURE = "def check(problem: Problem, answer: str) -> float | bool"
"""What a function of the user's looks like; or ``async def``."""

_PLAIN: dict[str, Callable[[], Verifier]] = {"choice": Choice, "exact": Exact, "math": Math}
_WITH_ARGUMENT: dict[str, Callable[[str], Verifier]] = {"regex": Regex, "json-schema": JsonSchema.from_file}
_CALL = re.compile(r"(?P<name>[\w-]+)(?:\((?P<options>.*)\))?", re.DOTALL)
_K: dict[str, tuple[Any, Any]] = {"k": (Annotated[int, Between(0, MAX_RATIONALES)], 0)}


def resolve(spec: str) -> Verifier:
    r"""The verifier that `spec` names: ``"math"``, ``"regex:^\d+$"``, ``"p-yes(k=4)"``, ``"./checks.py:is_prime"``.

    Raises:
        UnknownName: no verifier, option or attribute of that name; the text offers the nearest one.
        InvalidOption: a malformed spec, an argument that is missing or wrong, a module that cannot be imported.
    """
    spec = spec.strip()
    head, colon, argument = spec.partition(":")
    if head in _WITH_ARGUMENT:
        if not argument:
            raise InvalidOption(f"verifier {spec!r} lacks its argument; write {_spelled(head)}")
        return _WITH_ARGUMENT[head](argument)
    call = _CALL.fullmatch(spec)
    if call is not None and call["name"] in {*_PLAIN, "p-yes"}:
        return _named(call["name"], call["options"])
    if colon and not difflib.get_close_matches(head, _WITH_ARGUMENT, n=1, cutoff=0.8):
        return _imported(spec)
    raise UnknownName("verifier", call["name"] if call else head, [*_PLAIN, *_WITH_ARGUMENT, "p-yes"])


def _named(name: str, options: str | None) -> Verifier:
    known = _K if name == "p-yes" else {}
    given: dict[str, Any] = {}
    for part in filter(None, (part.strip() for part in (options or "").split(","))):
        key, equals, text = (piece.strip() for piece in part.partition("="))
        if not equals:
            raise InvalidOption(f"verifier {name}: {part!r} is not of the form key=value")
        if not known:
            raise InvalidOption(f"verifier {name} has no options, but {part!r} was given")
        given[key] = parse(name, known, key, text)
    return PYes(**given) if name == "p-yes" else _PLAIN[name]()


def _spelled(head: str) -> str:
    return next(name for name in NAMES if name.startswith(f"{head}:"))


def _imported(spec: str) -> Verifier:
    """The callable, or the ready verifier, that ``MODULE:NAME`` points to."""
    place, _, name = spec.rpartition(":")
    if not place or not name:
        raise InvalidOption(f"verifier {spec!r} is not of the form MODULE:NAME")
    module = _file(Path(place)) if place.endswith(".py") else _module(place)
    target: Any = module
    for part in name.split("."):
        if not hasattr(target, part):
            raise UnknownName(f"name in {place}", part, [known for known in dir(target) if not known.startswith("_")])
        target = getattr(target, part)
    if isinstance(target, Verifier) and not isinstance(target, type):
        return target
    if not callable(target):
        raise InvalidOption(f"verifier {spec}: {name} is {type(target).__name__}, not a function")
    return Function(target, spec)


def _module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except PonderError:
        raise
    except Exception as error:
        raise InvalidOption(f"verifier module {name!r} cannot be imported: {describe(error)}") from error


def _file(path: Path) -> ModuleType:
    if not path.is_file():
        raise InvalidOption(f"verifier file {str(path)!r} does not exist")
    loader = importlib.util.spec_from_file_location(f"ponder_verifier_{path.stem}", path)
    if loader is None or loader.loader is None:
        raise InvalidOption(f"verifier file {str(path)!r} is not a Python file")
    module = importlib.util.module_from_spec(loader)
    sys.modules[loader.name] = module  # dataclasses and pickling look their module up here
    try:
        loader.loader.exec_module(module)
    except Exception as error:
        del sys.modules[loader.name]
        raise InvalidOption(f"verifier file {str(path)!r} cannot be loaded: {describe(error)}") from error
    return module
