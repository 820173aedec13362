"""What each action means against a model."""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

from ponder.core import actions
from ponder.core.backend import Backend, Capability, Completion, Request
from ponder.core.branch import Branch
from ponder.core.errors import (
    BackendError,
    BudgetExhausted,
    BudgetTooSmall,
    MissingCapability,
    PonderError,
    Rejected,
    StrategyError,
    VerifierError,
    describe,
)
from ponder.core.problem import Problem
from ponder.core.settings import Settings
from ponder.core.verifier import Verifier
from ponder.engine.calls import Caller, Cut
from ponder.engine.clusters import Clusters
from ponder.engine.costs import most
from ponder.engine.state import Lane, State
from ponder.engine.together import together

__all__ = ["Performer"]

GIVE_UP = 3
"""After so many failed calls in a row the server is taken to be gone."""

STEP = "\n\n"
"""Where a reasoning step ends (Beeching et al. 2024, search-and-learn)."""


@dataclass(slots=True)
class _Stretch:
    """What became of branches that were extended together.

    `chain` is the length of the dependent chain in tokens; `limit` ended it, `failure` is the last call that failed.
    """

    chain: int = 0
    limit: BudgetExhausted | None = None
    failure: BackendError | None = None


class Performer:
    """Performs the actions of one run that touch branches or the model."""

    def __init__(
        self,
        caller: Caller,
        clusters: Clusters,
        state: State,
        problem: Problem,
        settings: Settings,
        backend: Backend,
        verifier: Verifier | None,
        stream: bool,
        logprobs: int,
    ) -> None:
        self._caller = caller
        self._clusters = clusters
        self._state = state
        self._problem = problem
        self._settings = settings
        self._backend = backend
        self._verifier = verifier
        self._busy: set[str] = set()
        self._stream = stream
        self._logprobs = logprobs

    async def perform(self, lane: Lane, action: actions.Action) -> Any:
        """Carry out one action and return what the strategy awaits."""
        match action:
            case actions.Sample():
                return self._state.open(lane, action.n)
            case actions.Fork():
                self._require(Capability.CONTINUE, "fork")
                return self._state.open(lane, action.n, self._state.current(action.branch))
            case actions.Extend():
                return await self._extend(lane, action)
            case actions.Probe():
                self._require(Capability.CONTINUE, "probe")
                return await self._probe(lane, action.branches)
            case actions.Prune():
                return [self._state.end(branch, "pruned") for branch in action.branches]
            case actions.Score():
                return await self._score(lane, action.branches)
            case actions.Chat():
                return await self._chat(lane, action)
            case actions.Clock():
                return await self._caller.once(lane, lane.step, "clock", self._caller.clock)
            case _:
                raise TypeError(f"no driver performs {action!r}")

    def check_affordable(self, lane: Lane) -> None:
        """See that at least one call fits the budget.

        Raises:
            BudgetTooSmall: it does not.
        """
        request = self._request(max_tokens=self._settings.max_tokens)
        ceiling = most(request, self._state.price)
        if not lane.account.bounded or lane.account.affordable(ceiling, 1) or self._caller.resumed:
            return
        raise BudgetTooSmall(
            f"the budget does not cover one call: that may take {ceiling.tokens:,} tokens"
            + (f" and ${ceiling.usd:.6f}" if self._state.price else "")
            + "; raise the budget or lower max_tokens"
        )

    async def _extend(self, lane: Lane, action: actions.Extend) -> list[Branch]:
        asked = {branch.id: self._state.current(branch) for branch in action.branches}
        live = [branch for branch in asked.values() if branch.live]
        if any(branch.tokens for branch in live):
            self._require(Capability.CONTINUE, "extend a branch that has begun")
        with self._claimed(live):
            done = await together([self._continue(lane, batch, action) for batch in self._batches(live)])
            self._state.deepen(lane, lane.depth + max((stretch.chain for stretch in done), default=0))
            for branch in live:
                await self._read_answer(branch)
        await self._raise_if_nothing_came(lane, live, done)
        return [self._state.current(branch) for branch in action.branches]

    @contextmanager
    def _claimed(self, branches: Sequence[Branch]) -> Iterator[None]:
        """Two lanes that continue one branch at a time would write over each other."""
        names = {branch.id for branch in branches}
        if names & self._busy:
            raise StrategyError(f"branch {min(names & self._busy)} is extended twice at the same time; fork it instead")
        self._busy |= names
        try:
            yield
        finally:
            self._busy -= names

    def _batches(self, branches: list[Branch]) -> list[list[Branch]]:
        """Branches that stand at the same text go into one call, if the backend completes several at a time."""
        if Capability.N not in self._backend.capabilities:
            return [[branch] for branch in branches]
        batches: dict[tuple[str, str], list[Branch]] = {}
        for branch in branches:
            batches.setdefault((branch.thinking, branch.text), []).append(branch)
        return list(batches.values())

    async def _continue(self, lane: Lane, batch: list[Branch], action: actions.Extend) -> _Stretch:
        """Extend branches that stand at the same text."""
        done = _Stretch()
        step = lane.step
        while batch:
            room = self._settings.max_tokens - batch[0].tokens
            asked = self._request(
                max_tokens=min(action.tokens or room, room),
                prefix=_so_far(batch[0]),
                stop=(STEP,) if action.until == "step" else (),
                seed=self._seed(batch[0]),
                branches=(batch[0].id,),
                stream=self._stream or lane.cancellable or lane.deadline != float("inf"),
            )
            count = self._count(lane, step, batch, asked)
            now, batch = batch[:count], batch[count:]
            request = asked if len(now) == 1 else replace(asked, n=len(now), branches=tuple(b.id for b in now))
            try:
                completion = await self._caller.make(lane, step, now[0].id, "branch", request)
            except Cut as cut:
                if cut.limit is None:
                    raise
                done.limit = cut.limit
                done.chain += max((choice.tokens for choice in cut.choices), default=0)
            except BudgetExhausted as limit:
                done.limit = limit
                for branch in (*now, *batch):
                    self._state.end(branch, "budget")
                break
            except BackendError as error:
                done.failure = error
                for branch in now:
                    self._state.end(branch, "failed", str(error))
                if isinstance(error, Rejected):
                    raise
            else:
                for branch, choice in zip(now, completion.choices, strict=True):
                    self._state.grow(branch.id, choice, self._settings.max_tokens)
                done.chain += max(choice.tokens for choice in completion.choices)
        return done

    def _count(self, lane: Lane, step: int, batch: list[Branch], request: Request) -> int:
        """How many of the batch the next call takes: what an earlier life of the run asked for, or what fits."""
        planned = self._caller.planned(lane, step, batch[0].id)
        if planned is not None:
            return planned
        if not lane.account.bounded:
            return len(batch)
        # When none fits, one waits for what calls under way may give back.
        return max(1, lane.account.affordable(most(request, self._state.price), len(batch)))

    async def _read_answer(self, branch: Branch) -> None:
        branch = self._state.current(branch)
        if branch.ending == "stop" and branch.raw_answer is None:
            raw, chosen = await self._clusters.answer(branch.text)
            self._state.put(replace(branch, raw_answer=raw, answer=chosen))

    async def _raise_if_nothing_came(self, lane: Lane, tried: Sequence[Branch], done: Sequence[_Stretch]) -> None:
        """A failed sample does not sink a run, but a strategy must hear of it when nothing can come any more."""
        if any(self._state.current(branch).ending not in ("failed", "budget") for branch in tried):
            return
        for stretch in done:
            if stretch.limit is not None:
                raise stretch.limit

        async def gone() -> bool:
            return self._caller.answered == 0 or self._caller.failed_in_a_row >= GIVE_UP

        for stretch in done:
            if stretch.failure is not None and await self._caller.once(lane, lane.step, "gone", gone):
                raise stretch.failure

    async def _probe(self, lane: Lane, branches: Sequence[Branch]) -> list[str | None]:
        async def one(branch: Branch) -> tuple[str | None, int]:
            if not branch.live:
                return branch.answer, 0
            request = self._request(
                max_tokens=self._settings.probe_tokens,
                prefix=_so_far(branch) + self._settings.probe,
                stop=("\n",),
                temperature=0.0,
                branches=(branch.id,),
            )
            with self._tolerated(failures):
                completion = await self._caller.make(lane, step, branch.id, "probe", request)
                text = self._settings.probe + completion.choices[0].text
                return (await self._clusters.answer(text))[1], completion.usage.output
            return None, 0

        step = lane.step
        failures: list[BackendError] = []
        asked = {branch.id: self._state.current(branch) for branch in branches}
        found = dict(zip(asked, await together([one(branch) for branch in asked.values()]), strict=True))
        self._state.deepen(lane, lane.depth + max((tokens for _, tokens in found.values()), default=0))
        self._tell(failures, sum(branch.live for branch in asked.values()), "probes")
        return [found[branch.id][0] for branch in branches]

    @contextmanager
    def _tolerated(self, failures: list[BackendError]) -> Iterator[None]:
        """One failed call beside the branches does not sink the action."""
        try:
            yield
        except Rejected:
            raise
        except BackendError as error:
            failures.append(error)

    def _tell(self, failures: Sequence[BackendError], asked: int, what: str) -> None:
        if failures and len(failures) == asked:
            raise failures[0]
        if failures:
            self._state.notes.append(f"{len(failures)} of {asked} {what} failed: {failures[0]}")

    async def _score(self, lane: Lane, branches: Sequence[Branch]) -> list[Branch]:
        if self._verifier is None:
            raise MissingCapability("this strategy scores branches and the run has no verifier; give one, e.g. p-yes")
        asked = {branch.id: self._state.current(branch) for branch in branches}
        unscored = []
        for branch in asked.values():
            if branch.answer is None:
                self._state.put(replace(branch, score=0.0))
            elif branch.score is None:
                unscored.append(branch)
        failures: list[BackendError] = []
        chains = await together([self._score_one(lane, branch, self._verifier, failures) for branch in unscored])
        self._state.deepen(lane, lane.depth + max(chains, default=0))
        self._tell(failures, len(unscored), "scores")
        return [self._state.current(branch) for branch in branches]

    async def _score_one(self, lane: Lane, branch: Branch, verifier: Verifier, failures: list[BackendError]) -> int:
        """Score one branch; returns the verifier's longest dependent chain in tokens."""
        step, chain, number = lane.step, 0, itertools.count()

        async def ask(request: Request) -> Completion:
            nonlocal chain
            completion = await self._caller.make(lane, step, f"{branch.id}?{next(number)}", "verifier", request)
            chain += max(choice.tokens for choice in completion.choices)
            return completion

        async def score() -> tuple[float, int]:
            try:
                return float(await verifier.score(self._problem, branch, ask)), chain
            except (PonderError, Cut):
                raise
            except Exception as error:
                raise VerifierError(f"verifier {verifier.name} raised {describe(error)}") from error

        with self._tolerated(failures), suppress(BudgetExhausted):
            value, chain = await self._caller.once(lane, step, branch.id, score)
            self._state.put(replace(branch, score=value))
        return chain

    async def _chat(self, lane: Lane, action: actions.Chat) -> str:
        request = replace(
            self._request(
                max_tokens=action.max_tokens or self._settings.max_tokens,
                temperature=action.temperature,
                seed=self._seed(None, f"{lane.name}{lane.step}"),
            ),
            messages=action.messages,
        )
        completion = await self._caller.make(lane, lane.step, "", "chat", request)
        self._state.deepen(lane, lane.depth + completion.usage.output)
        return completion.choices[0].text

    def _request(
        self,
        *,
        max_tokens: int,
        prefix: str = "",
        stop: tuple[str, ...] = (),
        seed: int | None = None,
        temperature: float | None = None,
        branches: tuple[str, ...] = (),
        stream: bool = False,
    ) -> Request:
        settings = self._settings
        return Request(
            messages=self._problem.messages,
            prefix=prefix,
            max_tokens=max_tokens,
            temperature=settings.temperature if temperature is None else temperature,
            top_p=settings.top_p,
            stop=stop,
            seed=seed,
            logprobs=self._logprobs,
            thinking_budget=settings.thinking_budget,
            branches=branches,
            stream=stream,
        )

    def _seed(self, branch: Branch | None, name: str = "") -> int | None:
        """The sampling seed of a branch's next stretch: the same in every life of the run."""
        if Capability.SEED not in self._backend.capabilities:
            return None
        if branch is not None:
            name = f"{branch.id}:{branch.tokens}"
        return zlib.crc32(f"{self._state.seed}:{name}".encode()) & 0x7FFFFFFF

    def _require(self, capability: Capability, what: str) -> None:
        if capability not in self._backend.capabilities:
            raise MissingCapability(f"{self._backend.name} cannot {what}: it lacks the capability {capability.value!r}")


def _so_far(branch: Branch) -> str:
    """The assistant's raw text up to here, with the reasoning in the tags that open models use."""
    if not branch.thinking:
        return branch.text
    return f"<think>{branch.thinking}" + (f"</think>{branch.text}" if branch.text else "")
