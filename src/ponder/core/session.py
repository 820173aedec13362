"""The whole strategy API.

A strategy awaits nothing but the methods below. Each hands one `Action` to the driver of the coroutine through
`Session._perform`, the only trap in Ponder, and receives what the driver sends back. So the same program runs against a
model, against recorded traces, and against the journal of a run that crashed.
"""

from __future__ import annotations

import inspect
import json
import random
import threading
import types
from collections.abc import Callable, Coroutine, Generator, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Generic, TypeVar, get_args, overload

from ponder.core import actions
from ponder.core.backend import Message
from ponder.core.bill import MAIN
from ponder.core.branch import Branch
from ponder.core.budget import Budget
from ponder.core.completion import Reply
from ponder.core.errors import InvalidOption, SessionMisused, UnknownName
from ponder.core.ledger import check_purpose
from ponder.core.problem import Problem
from ponder.core.settings import Settings

__all__ = ["AsCompleted", "Session"]

T = TypeVar("T")
MAX_BRANCHES = 4096
"""The most branches, or children, of one operation."""
MOST_APPENDED = 1_000_000
"""Characters, as in a question."""

LARGEST_SCHEMA = 100_000
"""Characters of JSON."""
MOST_LOGPROBS = 20
"""As the chat API has it."""

REFUSALS = 100
"""How often a session refuses what it is not to be used for. Whoever goes on is let through to a driver that is none:
a loop that takes no error for an answer would never end otherwise."""


class Session:
    """A strategy's hold on one run.

    `problem` is what is asked, without its reference answer. `models` are the roles of the run's models. `rng` is the
    only source of randomness: it is seeded by the run and by the lane, so that a resumed run draws the same numbers.
    """

    __slots__ = ("_over", "_refused", "_rng", "_stepping", "models", "problem", "settings")

    def __init__(self, problem: Problem, settings: Settings, models: Iterable[str] = (MAIN,)) -> None:
        self.problem = replace(problem, reference=None, verifier=None)
        self.settings = settings
        self.models = frozenset(models)
        self._rng = random.Random(0)
        self._stepping: int | None = None
        self._over = False
        self._refused = 0

    @property
    def rng(self) -> random.Random:
        """The random generator of the lane that is running."""
        self._check_over()
        return self._rng

    def _step(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call `function`, a step of the strategy; its operations are performed only from within one."""
        self._stepping = threading.get_ident()
        try:
            return function(*arguments)
        finally:
            self._stepping = None

    @types.coroutine
    def _perform(self, action: actions.Action) -> Generator[actions.Action, Any, Any]:
        if self._stepping != threading.get_ident():
            _drop(action)
            self._refuse()
        try:
            return (yield action)
        except GeneratorExit:  # nobody will carry it out
            _drop(action)
            raise

    def _check_over(self, *children: Any) -> None:
        """Whatever else is wrong, a session of a run that has ended is the first thing to be told of."""
        if self._over:
            _drop(actions.Gather(children))
            self._refuse()

    def _check_role(self, model: str) -> None:
        if model not in self.models:
            raise UnknownName("model", str(model), sorted(self.models))

    def _refuse(self) -> None:
        self._refused += 1
        if self._refused > REFUSALS:
            return
        if self._over:
            raise SessionMisused("the run of this session has ended; each run gets a Session of its own")
        raise SessionMisused(
            "a session is used outside of its strategy: only the strategy itself may await its operations, and the "
            "coroutines that it gives to gather() and as_completed()"
        )

    async def sample(self, n: int = 1, *, messages: Iterable[Message] | None = None, model: str = MAIN) -> list[Branch]:
        """Open `n` branches from the problem's prompt, or from `messages` in its place; all of them vote alike.

        `model` is the role of the model that writes them. Nothing is generated until they are extended.

        Raises:
            UnknownName: the run has no model of this role.
        """
        self._check_over()
        _check_count("sample", n)
        self._check_role(model)
        prompt = None if messages is None else Problem.of(list(messages)).messages
        branches: list[Branch] = await self._perform(actions.Sample(n, prompt, model))
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
        self._check_over()
        _check_tokens("extend(tokens", tokens)
        if until not in get_args(actions.Until):
            raise InvalidOption(f"extend(until={until!r}): must be one of {', '.join(get_args(actions.Until))}")
        return _shape(which, await self._perform(actions.Extend(_tuple(which), tokens, until)))

    async def append(self, branch: Branch, text: str) -> Branch:
        """Put `text`, which the model did not write, behind a branch: "Wait", a hint, the start of an answer.

        A branch that had ended by itself can be extended again (budget forcing: Muennighoff et al. 2025). The text is
        part of the reply, and of the prompt of the next call, which is where it is paid for; it is no generated token.

        Raises:
            MissingCapability: the model cannot go on from a text that stands.
            StrategyError: the branch is at its token limit, pruned or failed, or called a tool.
        """
        self._check_over()
        if not isinstance(text, str):
            raise TypeError(f"append({text!r:.60}): the text must be a str")
        if not 1 <= len(text) <= MOST_APPENDED:
            raise InvalidOption(f"append() takes 1 to {MOST_APPENDED:,} characters, not {len(text):,}")
        grown: Branch = await self._perform(actions.Append(_tuple(branch)[0], text))
        return grown

    async def fork(self, branch: Branch, n: int) -> list[Branch]:
        """Open `n` children that continue from where `branch` stands.

        Those of a branch that has ended have ended as it has, and vote as it does.
        """
        self._check_over()
        _check_count("fork", n)
        children: list[Branch] = await self._perform(actions.Fork(_tuple(branch)[0], n))
        return children

    @overload
    async def probe(self, which: Branch) -> str | None: ...
    @overload
    async def probe(self, which: Sequence[Branch]) -> list[str | None]: ...
    async def probe(self, which: Branch | Sequence[Branch]) -> str | list[str | None] | None:
        """What a branch would answer if it had to answer now. The branch itself is not disturbed."""
        self._check_over()
        found: list[str | None] = await self._perform(actions.Probe(_tuple(which)))
        return found[0] if isinstance(which, Branch) else found

    @overload
    async def prune(self, which: Branch) -> Branch: ...
    @overload
    async def prune(self, which: Sequence[Branch]) -> list[Branch]: ...
    async def prune(self, which: Branch | Sequence[Branch]) -> Branch | list[Branch]:
        """Stop branches; they no longer vote, and what they produced stays on the bill."""
        self._check_over()
        return _shape(which, await self._perform(actions.Prune(_tuple(which))))

    @overload
    async def score(self, which: Branch) -> Branch: ...
    @overload
    async def score(self, which: Sequence[Branch]) -> list[Branch]: ...
    async def score(self, which: Branch | Sequence[Branch]) -> Branch | list[Branch]:
        """Have the run's verifier score branches as they stand; one that has grown since is scored again.

        A branch whose answer the verifier would need, and that has ended without one, scores 0.

        Raises:
            MissingCapability: a branch can still grow, and the verifier scores finished ones only.
            VerifierError: it failed for every one of them.
        """
        self._check_over()
        return _shape(which, await self._perform(actions.Score(_tuple(which))))

    @overload
    async def chat(
        self,
        messages: Iterable[Message],
        *,
        n: None = None,
        model: str = MAIN,
        max_tokens: int | None = None,
        temperature: float | None = None,
        schema: Mapping[str, Any] | None = None,
        logprobs: int = 0,
        purpose: str = "chat",
    ) -> Reply: ...
    @overload
    async def chat(
        self,
        messages: Iterable[Message],
        *,
        n: int,
        model: str = MAIN,
        max_tokens: int | None = None,
        temperature: float | None = None,
        schema: Mapping[str, Any] | None = None,
        logprobs: int = 0,
        purpose: str = "chat",
    ) -> list[Reply]: ...
    async def chat(
        self,
        messages: Iterable[Message],
        *,
        n: int | None = None,
        model: str = MAIN,
        max_tokens: int | None = None,
        temperature: float | None = None,
        schema: Mapping[str, Any] | None = None,
        logprobs: int = 0,
        purpose: str = "chat",
    ) -> Reply | list[Reply]:
        """Say something of the strategy's own to a model: to criticise, judge, merge. Returns its reply.

        With `n` a list of as many replies; those whose call failed are missing, and a note says so. `model` is the
        role of the model. `schema` is a JSON schema, into which the reply is forced; its value is `Reply.parsed`.
        `logprobs` is how many of the likeliest first tokens `Reply.first` is to have. The bill shows what all calls of
        one `purpose` took.

        Raises:
            MissingCapability: the model cannot be forced into a schema, or tells no log-probabilities.
            UnknownName: the run has no model of this role.
            BackendError: all calls failed.
            BudgetExhausted: the budget does not suffice.
        """
        self._check_over()
        _check_count("chat", 1 if n is None else n)
        _check_tokens("chat(max_tokens", max_tokens)
        self._check_role(model)
        _check_chat(schema, logprobs, purpose)
        said = Problem.of(list(messages)).messages
        asked = actions.Chat(said, n or 1, model, max_tokens, temperature, schema, logprobs, purpose)
        replies: list[Reply] = await self._perform(asked)
        return replies[0] if n is None else replies

    async def clock(self) -> float:
        """Seconds since the run began (in replay: sequential tokens)."""
        now: float = await self._perform(actions.Clock())
        return now

    async def gather(self, *children: Coroutine[Any, Any, T]) -> list[T]:
        """Run operations, or coroutines made of them, concurrently; results in the order of the arguments.

        The first exception cancels the others and is raised.
        """
        self._check_over(*children)
        _check_children("gather", children)
        results: list[T] = await self._perform(actions.Gather(children))
        return results

    def as_completed(self, *children: Coroutine[Any, Any, T]) -> AsCompleted[T]:
        """Run children concurrently and take results as they come; leaving the block cancels the rest.

        async with s.as_completed(*(s.extend(b) for b in branches)) as finished:
            async for branch in finished: ...
        """
        self._check_over(*children)
        _check_children("as_completed", children)
        return AsCompleted(self, children)

    def limit(self, budget: Budget) -> _Limited:
        """``async with s.limit(Budget(tokens=500)):`` puts what happens inside under a budget of its own, too."""
        self._check_over()
        if not isinstance(budget, Budget):
            raise TypeError(f"limit() takes a Budget, not {budget!r:.60}")
        return _Limited(self, budget)


class AsCompleted(Generic[T]):
    """Results of concurrent children in the order in which they finish."""

    __slots__ = ("_children", "_race", "_session")

    def __init__(self, session: Session, children: tuple[Coroutine[Any, Any, T], ...]) -> None:
        self._session = session
        self._children = children
        self._race: int | None = None

    async def __aenter__(self) -> AsCompleted[T]:
        self._race = await self._session._perform(actions.Race(self._children))
        return self

    def __aiter__(self) -> AsCompleted[T]:
        return self

    async def __anext__(self) -> T:
        if self._race is None:
            raise TypeError("as_completed() is used as: async with s.as_completed(...) as finished")
        more, result = await self._session._perform(actions.Next(self._race))
        if not more:
            raise StopAsyncIteration
        value: T = result
        return value

    async def __aexit__(self, kind: type[BaseException] | None, *exc: object) -> None:
        # A driver that abandons the strategy closes it, and a closing coroutine may not await; it cleans up by itself.
        if kind is not GeneratorExit and self._race is not None:
            await self._session._perform(actions.Unrace(self._race))


class _Limited:
    __slots__ = ("_budget", "_session")

    def __init__(self, session: Session, budget: Budget) -> None:
        self._session = session
        self._budget = budget

    async def __aenter__(self) -> None:
        await self._session._perform(actions.Limit(self._budget))

    async def __aexit__(self, kind: type[BaseException] | None, *exc: object) -> None:
        if kind is not GeneratorExit:
            await self._session._perform(actions.Unlimit())


def _check_count(operation: str, n: int) -> None:
    if not isinstance(n, int):
        raise TypeError(f"{operation}({n!r:.60}): n must be a whole number")
    if not 1 <= n <= MAX_BRANCHES:
        raise InvalidOption(f"{operation}({n}): n must lie between 1 and {MAX_BRANCHES}")


def _check_chat(schema: object, logprobs: object, purpose: str) -> None:
    if schema is not None and not isinstance(schema, Mapping):
        raise TypeError(f"chat(schema={schema!r:.60}): a JSON schema is a dict")
    if schema is not None and len(json.dumps(schema, default=str)) > LARGEST_SCHEMA:
        raise InvalidOption(f"chat(schema=...): the schema has more than {LARGEST_SCHEMA:,} characters")
    if not isinstance(logprobs, int) or not 0 <= logprobs <= MOST_LOGPROBS:
        raise InvalidOption(f"chat(logprobs={logprobs!r:.60}): must be a number of tokens from 0 to {MOST_LOGPROBS}")
    if check_purpose(purpose) in ("branch", "probe", "verifier", "tool"):
        raise InvalidOption(f"chat(purpose={purpose!r}): what the engine itself books; take another name, as 'judge'")


def _check_children(operation: str, children: Sequence[Any]) -> None:
    if len(children) > MAX_BRANCHES:
        _drop(actions.Gather(tuple(children)))
        raise InvalidOption(
            f"{operation}() of {len(children):,} children: at most {MAX_BRANCHES:,} run at a time; "
            "extend() continues many branches together"
        )


def _drop(action: actions.Action) -> None:
    """End the children of an action, those that have not begun: nobody will run them."""
    if isinstance(action, actions.Gather | actions.Race):
        for child in filter(inspect.iscoroutine, action.children):
            if inspect.getcoroutinestate(child) == inspect.CORO_CREATED:
                child.close()


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
    if len(branches) > MAX_BRANCHES:
        raise InvalidOption(f"{len(branches):,} branches in one operation: at most {MAX_BRANCHES:,} at a time")
    return branches


def _shape(which: Branch | Sequence[Branch], result: list[Branch]) -> Branch | list[Branch]:
    return result[0] if isinstance(which, Branch) else result
