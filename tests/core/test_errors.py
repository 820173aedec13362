"""Every error crosses processes whole: it pickles and copies with its kind, its text and its fields."""

from __future__ import annotations

import copy
import importlib
import inspect
import pickle
import pkgutil
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

import pytest

import ponder
from ponder.core.bill import Bill
from ponder.core.completion import Choice, Completion, Usage
from ponder.core.errors import BudgetExhausted, PonderError, RateLimited, UnknownName, Unreachable, describe

GIVEN = {
    "str": "some text", "str | None": "a field", "int": 503, "int | None": 404, "float": 2.5, "float | None": 1.5,
    "bool": True, "bytes": b"{}", "Iterable[str]": ["aim"], "dict[str, Any]": {"status": 500},
    "BaseException": KeyboardInterrupt("now"), "Completion": Completion((Choice("4", 1, "stop"),), Usage(1, 0, 1)),
    "tuple[Choice, ...]": (Choice("4", 1, "stop"),), "object": "why", "Usage": Usage(1, 0, 1),
    "Mapping[int, Choice]": {1: Choice("4", 1, "stop")}, "Mapping[int, Choice] | None": {1: Choice("4", 1, "stop")},
    "Usage | None": Usage(1, 0, 1), "BackendError | BudgetExhausted | None": Unreachable("away"),
}  # fmt: skip
"""What the constructors are given, by annotation; what has another type keeps its default."""


def _kinds(base: type[BaseException]) -> Iterator[type[BaseException]]:
    for kind in base.__subclasses__():
        yield from _kinds(kind)
        if kind.__module__.startswith("ponder."):
            yield kind


def errors() -> list[type[BaseException]]:
    """Every exception that any module of the package defines and offers."""
    for module in pkgutil.walk_packages(ponder.__path__, "ponder."):
        importlib.import_module(module.name)
    kinds = set(_kinds(BaseException))
    return sorted((kind for kind in kinds if not kind.__name__.startswith("_")), key=lambda kind: kind.__name__)


def made(kind: type[BaseException]) -> BaseException:
    """One of this kind, every field with a value of its own."""
    if not inspect.isfunction(kind.__init__):
        return kind("some text")
    wanted = {name: str(one.annotation) for name, one in inspect.signature(kind).parameters.items()}
    return kind(**{name: GIVEN[annotation] for name, annotation in wanted.items() if annotation in GIVEN})


def alike(one: BaseException, other: BaseException) -> None:
    assert type(one) is type(other)
    assert (str(one), one.args, repr(vars(one))) == (str(other), other.args, repr(vars(other)))


@pytest.mark.parametrize("kind", errors(), ids=lambda kind: kind.__name__)
def test_an_error_survives_pickle_and_copy(kind: type[BaseException]) -> None:
    error = made(kind)
    if isinstance(error, PonderError):
        error.bill = Bill(calls=3, usd=0.5)
    error.add_note("the run was r1")
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        alike(pickle.loads(pickle.dumps(error, protocol)), error)
    alike(copy.copy(error), error)
    alike(copy.deepcopy(error), error)


def test_there_are_many_kinds_and_the_ones_with_fields_are_among_them() -> None:
    names = {kind.__name__ for kind in errors()}
    assert {"UnknownName", "RunBusy", "RateLimited", "Rejected", "BudgetExhausted", "Refused", "BreakerOpen"} <= names
    assert vars(made(RateLimited))["retry_after"] == 1.5
    assert vars(made(BudgetExhausted)) == {"limit": "some text", "refundable": True, "inner": True}


class Own(BudgetExhausted):
    """A user's own, with a constructor that takes something else."""

    def __init__(self, rounds: int, *, why: str) -> None:
        super().__init__(f"{rounds} rounds: {why}", "rounds")
        self.rounds = rounds


def test_so_do_those_that_others_derive() -> None:
    alike(pickle.loads(pickle.dumps(Own(3, why="enough"))), Own(3, why="enough"))


def _fails() -> None:
    raise UnknownName("strategy", "singel", ["single"])


def test_an_error_of_a_worker_process_arrives_as_it_is() -> None:
    with ProcessPoolExecutor(1) as pool, pytest.raises(UnknownName, match="did you mean 'single'"):
        pool.submit(_fails).result()


def test_an_error_that_cannot_say_what_it_is_is_named() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise ValueError

    assert describe(Mute()) == "Mute"
