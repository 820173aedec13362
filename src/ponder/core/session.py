"""The whole strategy API.

A strategy awaits nothing but the methods below. Each hands one `Action` to the driver of the coroutine through
`_perform`, the only trap in Ponder, and receives what the driver sends back. So the same program runs against a model,
against recorded traces, and against the journal of a run that crashed.
"""

from __future__ import annotations

import random
import types
from collections.abc import Coroutine, Generator, Iterable, Sequence
from dataclasses import replace
from typing import Any, Generic, TypeVar, get_args, overload

from ponder.core import actions
from ponder.core.branch import Branch
from ponder.core.budget import Budget
from ponder.core.errors import InvalidOption
from ponder.core.problem import Message, Problem
from ponder.core.settings import Settings

__all__ = ["AsCompleted", "Session"]

T = TypeVar("T")
MAX_BRANCHES = 4096


@types.coroutine
def _perform(action: actions.Action) -> Generator[actions.Action, Any, Any]:
    return (yield action)


class Session:
    """A strategy's hold on one run.

    `problem` is what is asked, without its reference answer. `rng` is the only source of randomness: it is seeded by
    the run and by the lane, so that a resumed run draws the same numbers.
    """

    __slots__ = ("_rng", "problem", "settings")

    def __init__(self, problem: Problem, settings: Settings) -> None:
        self.problem = replace(problem, reference=None, verifier=None)
        self.settings = settings
        self._rng = random.Random(0)

    @property
    def rng(self) -> random.Random:
        """The random generator of the lane that is running."""
        return self._rng

    async def sample(self, n: int = 1) -> list[Branch]:
        """Open `n` branches from the prompt. Nothing is generated until they are extended."""
        _check_count("sample", n)
        branches: list[Branch] = await _perform(actions.Sample(n))
        return branches

    @overload
    async def extend(self, which: Branch, *, tokens: int | None = None, until: actions.Until = "end") -> Branch: ...
    @overload
    async def extend(
        self, which: Sequence[Branch], *, tokens: int | None = None, until: actions.Until = "end"
    ) -> list[Branch]: ...
    async def extend(
        self, which: Branch | Sequence[Branch], *, tokens: int | None = None, until: actions.Until = "end"
    ) -> Branch | list[Branch]:
        """Continue branches together: to the end, to the next step boundary, or by at most `tokens` tokens.

        A branch that has ended comes back as it is. One that fails, or for which the budget does not suffice, comes
        back with that `ending` and abstains.

        Raises:
            BackendError: every one of them failed.
            BudgetExhausted: the budget suffices for none of them.
        """
        _check_tokens("extend(tokens", tokens)
        if until not in get_args(actions.Until):
            raise InvalidOption(f"extend(until={until!r}): must be one of {', '.join(get_args(actions.Until))}")
        return _shape(which, await _perform(actions.Extend(_tuple(which), tokens, until)))

    async def fork(self, branch: Branch, n: int) -> list[Branch]:
        """Open `n` children that continue from where `branch` stands.

        Those of a branch that has ended have ended as it has, and vote as it does.
        """
        _check_count("fork", n)
        children: list[Branch] = await _perform(actions.Fork(_tuple(branch)[0], n))
        return children

    @overload
    async def probe(self, which: Branch) -> str | None: ...
    @overload
    async def probe(self, which: Sequence[Branch]) -> list[str | None]: ...
    async def probe(self, which: Branch | Sequence[Branch]) -> str | list[str | None] | None:
        """What a branch would answer if it had to answer now. The branch itself is not disturbed."""
        found: list[str | None] = await _perform(actions.Probe(_tuple(which)))
        return found[0] if isinstance(which, Branch) else found

    @overload
    async def prune(self, which: Branch) -> Branch: ...
    @overload
    async def prune(self, which: Sequence[Branch]) -> list[Branch]: ...
    async def prune(self, which: Branch | Sequence[Branch]) -> Branch | list[Branch]:
        """Stop branches; they no longer vote, and what they produced stays on the bill."""
        return _shape(which, await _perform(actions.Prune(_tuple(which))))

    @overload
    async def score(self, which: Branch) -> Branch: ...
    @overload
    async def score(self, which: Sequence[Branch]) -> list[Branch]: ...
    async def score(self, which: Branch | Sequence[Branch]) -> Branch | list[Branch]:
        """Have the run's verifier score branches; a branch without an answer scores 0."""
        return _shape(which, await _perform(actions.Score(_tuple(which))))

    async def chat(
        self, messages: Iterable[Message], *, max_tokens: int | None = None, temperature: float | None = None
    ) -> str:
        """One free call to the model; returns the reply's visible text."""
        _check_tokens("chat(max_tokens", max_tokens)
        said = Problem.of(list(messages)).messages
        reply: str = await _perform(actions.Chat(said, max_tokens, temperature))
        return reply

    async def clock(self) -> float:
        """Seconds since the run began (in replay: sequential tokens)."""
        now: float = await _perform(actions.Clock())
        return now

    async def gather(self, *children: Coroutine[Any, Any, T]) -> list[T]:
        """Run operations, or coroutines made of them, concurrently; results in the order of the arguments.

        The first exception cancels the others and is raised.
        """
        results: list[T] = await _perform(actions.Gather(children))
        return results

    def as_completed(self, *children: Coroutine[Any, Any, T]) -> AsCompleted[T]:
        """Run children concurrently and take results as they come; leaving the block cancels the rest.

        async with s.as_completed(*(s.extend(b) for b in branches)) as finished:
            async for branch in finished: ...
        """
        return AsCompleted(children)

    def limit(self, budget: Budget) -> _Limited:
        """``async with s.limit(Budget(tokens=500)):`` puts what happens inside under a budget of its own, too."""
        if not isinstance(budget, Budget):
            raise TypeError(f"limit() takes a Budget, not {budget!r:.60}")
        return _Limited(budget)


class AsCompleted(Generic[T]):
    """Results of concurrent children in the order in which they finish."""

    __slots__ = ("_children", "_race")

    def __init__(self, children: tuple[Coroutine[Any, Any, T], ...]) -> None:
        self._children = children
        self._race: int | None = None

    async def __aenter__(self) -> AsCompleted[T]:
        self._race = await _perform(actions.Race(self._children))
        return self

    def __aiter__(self) -> AsCompleted[T]:
        return self

    async def __anext__(self) -> T:
        if self._race is None:
            raise TypeError("as_completed() is used as: async with s.as_completed(...) as finished")
        more, result = await _perform(actions.Next(self._race))
        if not more:
            raise StopAsyncIteration
        value: T = result
        return value

    async def __aexit__(self, kind: type[BaseException] | None, *exc: object) -> None:
        # A driver that abandons the strategy closes it, and a closing coroutine may not await; it cleans up by itself.
        if kind is not GeneratorExit and self._race is not None:
            await _perform(actions.Unrace(self._race))


class _Limited:
    __slots__ = ("_budget",)

    def __init__(self, budget: Budget) -> None:
        self._budget = budget

    async def __aenter__(self) -> None:
        await _perform(actions.Limit(self._budget))

    async def __aexit__(self, kind: type[BaseException] | None, *exc: object) -> None:
        if kind is not GeneratorExit:
            await _perform(actions.Unlimit())


def _check_count(operation: str, n: int) -> None:
    if not isinstance(n, int):
        raise TypeError(f"{operation}({n!r:.60}): n must be a whole number")
    if not 1 <= n <= MAX_BRANCHES:
        raise InvalidOption(f"{operation}({n}): n must lie between 1 and {MAX_BRANCHES}")


def _check_tokens(argument: str, tokens: int | None) -> None:
    if tokens is not None and not isinstance(tokens, int):
        raise TypeError(f"{argument}={tokens!r:.60}) must be a whole number")
    if tokens is not None and tokens < 1:
        raise InvalidOption(f"{argument}={tokens}): must be at least 1")


def _tuple(which: Branch | Sequence[Branch]) -> tuple[Branch, ...]:
    branches = (which,) if isinstance(which, Branch) else tuple(which)
    for one in branches:
        if not isinstance(one, Branch):
            raise TypeError(f"{one!r:.60} is no branch; take those that sample() and fork() give")
    return branches


def _shape(which: Branch | Sequence[Branch], result: list[Branch]) -> Branch | list[Branch]:
    return result[0] if isinstance(which, Branch) else result
