"""Calls beside the branches: probes, scores and chats."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace

import anyio

from ponder.core.actions import Chat
from ponder.core.backend import Capability, Request
from ponder.core.bill import MAIN
from ponder.core.branch import Branch
from ponder.core.completion import Choice, Completion, Reply
from ponder.core.errors import (
    BackendError,
    BudgetExhausted,
    MissingCapability,
    PartlyFailed,
    PonderError,
    Rejected,
    UsageError,
    VerifierError,
    describe,
)
from ponder.core.problem import Verifier, checked_score, reads_of
from ponder.engine.lanes import Lane
from ponder.engine.live.call import Caller, out_of_time
from ponder.engine.live.call_group import together
from ponder.engine.live.equal_answers import Clusters
from ponder.engine.live.requests import Requests
from ponder.engine.program import Cut
from ponder.engine.resume.memory import Memory
from ponder.engine.rules import check_scorable, worthless
from ponder.engine.state import State
from ponder.engine.steps import so_far

__all__ = ["Beside"]

_FAILED = "!"
"""After a branch's id, the name of the decision to go on without its score."""


class Beside:
    """Asks the model of one run what is no part of a branch."""

    def __init__(
        self,
        caller: Caller,
        memory: Memory,
        clusters: Clusters,
        state: State,
        requests: Requests,
        verifier: Verifier | None,
    ) -> None:
        self._caller = caller
        self._memory = memory
        self._clusters = clusters
        self._state = state
        self._requests = requests
        self._verifier = verifier

    async def probe(self, lane: Lane, branches: Sequence[Branch]) -> list[str | None]:
        """What the branches would answer now; None for those that do not say, or whose call failed."""

        async def one(branch: Branch) -> tuple[str | None, int]:
            if not branch.live:
                return branch.answer, 0
            request = self._requests.build(
                max_tokens=self._requests.settings.probe_tokens,
                messages=branch.messages,
                model=branch.model,
                prefix=so_far(branch) + self._requests.settings.probe,
                stop=("\n",),
                temperature=0.0,
                branches=(branch.id,),
            )
            with self._tolerated(failures):
                completion = await self._caller.make(lane, step, branch.id, "probe", request, branch.model)
                text = self._requests.settings.probe + completion.choices[0].text
                return (await self._clusters.answer(text))[1], completion.usage.output
            return None, 0

        step = lane.step
        failures: list[PonderError] = []
        asked = {branch.id: self._state.current(branch) for branch in branches}
        found = dict(zip(asked, await together([one(branch) for branch in asked.values()]), strict=True))
        self._state.deepen(lane, lane.depth + max((tokens for _, tokens in found.values()), default=0))
        self._tell(failures, sum(branch.live for branch in asked.values()), "probes")
        return [found[branch.id][0] for branch in branches]

    @contextmanager
    def _tolerated(self, failures: list[PonderError]) -> Iterator[None]:
        """One failed call beside the branches does not sink the action."""
        try:
            yield
        except Rejected:
            raise
        except (BackendError, VerifierError, UsageError) as error:
            failures.append(error)

    def _tell(self, failures: Sequence[PonderError], asked: int, what: str) -> None:
        if failures and len(failures) == asked:
            raise failures[0]
        if failures:
            self._state.notes.append(f"{len(failures)} of {asked} {what} failed: {failures[0]}")

    async def score(self, lane: Lane, branches: Sequence[Branch]) -> list[Branch]:
        """The branches with their scores.

        One whose call did not fit the budget, or failed, has none, nor one for which the verifier raised.

        Raises:
            BackendError: the calls for all of them failed.
            VerifierError: the verifier failed for all of them.
        """
        if self._verifier is None:
            raise MissingCapability("this strategy scores branches and the run has no verifier; give one, e.g. p-yes")
        asked = {branch.id: self._state.current(branch) for branch in branches}
        unscored = []
        reads = reads_of(self._verifier)
        for branch in asked.values():
            check_scorable(branch, reads, self._verifier.name)
            if branch.score is not None:
                continue
            if worthless(branch, reads):
                self._state.put(replace(branch, score=0.0))
            else:
                unscored.append(branch)
        failed: dict[str, list[PonderError]] = {branch.id: [] for branch in unscored}
        chains = await together(
            [self._score_one(lane, branch, self._verifier, failed[branch.id]) for branch in unscored]
        )
        self._state.deepen(lane, lane.depth + max(chains, default=0))
        self._remember(lane, failed)
        self._tell([error for errors in failed.values() for error in errors], len(unscored), "scores")
        return [self._state.current(branch) for branch in branches]

    def _remember(self, lane: Lane, failed: Mapping[str, Sequence[PonderError]]) -> None:
        """Write down where the verifier failed; calls that failed are in the journal already."""
        for identity, errors in failed.items():
            part = identity + _FAILED
            own = [error for error in errors if not isinstance(error, BackendError)]
            if own and self._memory.recorded.result(lane.name, lane.step, part) is None:
                self._memory.note(lane.name, lane.step, part, {"unscored": str(own[0])})

    async def _score_one(self, lane: Lane, branch: Branch, verifier: Verifier, failures: list[PonderError]) -> int:
        """Score one branch; returns the verifier's longest dependent chain in tokens."""
        step, chain, number = lane.step, 0, itertools.count()
        earlier = self._memory.recorded.result(lane.name, step, branch.id + _FAILED)
        if earlier is not None:  # it may raise no more, and the run that was recorded went on without this score
            self._memory.take_up(lane, self._memory.recorded.asked(lane.name, step, branch.id))
            failures.append(VerifierError(earlier["unscored"]))
            return 0

        async def ask(request: Request, model: str = MAIN) -> Completion:
            nonlocal chain
            self._requests.check_role(model)
            part = f"{branch.id}?{next(number)}"
            completion = await self._caller.make(lane, step, part, "verifier", request, model)
            chain += max(choice.tokens for choice in completion.choices)
            return completion

        async def score() -> tuple[float, int]:
            try:
                return checked_score(verifier.name, await verifier.score(self._requests.problem, branch, ask)), chain
            except (PonderError, Cut):
                raise
            except Exception as error:
                raise VerifierError(f"verifier {verifier.name} raised {describe(error)}") from error

        with self._tolerated(failures), suppress(BudgetExhausted), anyio.CancelScope(deadline=lane.deadline) as scope:
            value, chain = await self._memory.once(lane, step, branch.id, score)
            self._state.put(replace(branch, score=value))
        if scope.cancelled_caught:
            self._state.exhaust(out_of_time(lane, self._state))
        return chain

    async def chat(self, lane: Lane, action: Chat) -> list[Reply]:
        """The replies; where some of several calls failed, those that came."""
        requests, model = self._requests, action.model
        if action.schema is not None:
            requests.require(Capability.SCHEMA, "be forced into a JSON schema", model)
        if action.logprobs:
            requests.require(Capability.LOGPROBS, "tell log-probabilities", model)
        request = replace(
            requests.build(
                max_tokens=action.max_tokens or requests.settings.max_tokens,
                model=model,
                temperature=action.temperature,
                seed=requests.seed(f"{lane.name}{lane.step}", model),
            ),
            messages=action.messages,
            n=action.n,
            schema=action.schema,
            logprobs=action.logprobs,
            options={},  # tools and formats are for the answer, not for what is said about it
        )
        failures: list[PonderError] = []
        parts = self._parts(lane, request, model)
        found = await together([self._said(lane, part, one, action, failures) for part, one in parts])
        choices = [choice for some in found for choice in some]
        self._state.deepen(lane, lane.depth + max((choice.tokens for choice in choices), default=0))
        if not choices:
            raise failures[0]
        if failures:
            self._state.notes.append(f"{action.n - len(choices)} of {action.n} replies failed: {failures[0]}")
        return [Reply.of(choice, structured=action.schema is not None) for choice in choices]

    def _parts(self, lane: Lane, request: Request, model: str) -> list[tuple[str, Request]]:
        """The calls that give so many replies: one, if an earlier life of the run had it so or the model can."""
        n = request.n
        planned = self._memory.planned(lane, lane.step, "")
        most = planned or (self._requests.in_one_call(n, model) if self._requests.can(Capability.N, model) else 1)
        if most >= n:
            return [("", request)]
        parts = []
        for at, start in enumerate(range(0, n, most)):
            seed = self._requests.seed(f"{lane.name}{lane.step}.{at}", model)
            parts.append((str(at) if at else "", replace(request, n=min(most, n - start), seed=seed)))
        return parts

    async def _said(
        self, lane: Lane, part: str, request: Request, action: Chat, failures: list[PonderError]
    ) -> Sequence[Choice]:
        """What one call gave; nothing if it failed, which is one of `failures` then."""
        try:
            completion = await self._caller.make(lane, lane.step, part, action.purpose, request, action.model)
        except (Rejected, BudgetExhausted):
            raise
        except PartlyFailed as error:
            failures.append(error.cause)
            return tuple(error.choices.values())
        except BackendError as error:
            failures.append(error)
            return ()
        return completion.choices
