"""How branches grow: together where they stand at the same text, as far as the budget goes, whatever fails."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from ponder.core.actions import Extend
from ponder.core.backend import Capability, Request
from ponder.core.branch import Branch
from ponder.core.completion import Choice
from ponder.core.errors import BackendError, BudgetExhausted, PartlyFailed, Rejected, StrategyError
from ponder.core.ledger import Charge
from ponder.engine.lanes import Lane
from ponder.engine.live.call import Caller
from ponder.engine.live.call_group import together
from ponder.engine.live.equal_answers import Clusters
from ponder.engine.live.requests import Requests
from ponder.engine.live.second_look import SecondLook
from ponder.engine.live.worst_cost import most as most_of
from ponder.engine.program import Cut
from ponder.engine.resume.memory import Memory
from ponder.engine.state import State
from ponder.engine.steps import STEP, Leg, growth, next_leg, so_far

__all__ = ["Extender"]


@dataclass(slots=True)
class _Stretch:
    """What became of branches that were extended together.

    `chain` is the length of the dependent chain in tokens; `limit` ended it, `failure` is the last call that failed.
    `grown` holds each branch as it was and what it got.
    """

    chain: int = 0
    limit: BudgetExhausted | None = None
    failure: BackendError | None = None
    grown: list[tuple[Branch, Choice]] = field(default_factory=list)


class Extender:
    """Extends the branches of one run; with `stream` it asks for the text as it comes."""

    def __init__(
        self, caller: Caller, memory: Memory, clusters: Clusters, state: State, requests: Requests, *, stream: bool
    ) -> None:
        self._caller = caller
        self._memory = memory
        self._clusters = clusters
        self._state = state
        self._requests = requests
        self._stream = stream
        self._busy: set[str] = set()
        self._second_look = SecondLook(caller, clusters, state, requests)

    async def extend(self, lane: Lane, action: Extend) -> list[Branch]:
        """The branches, further along.

        Raises:
            BackendError: all of them failed, and it looks as if nothing can come any more.
            BudgetExhausted: the budget suffices for none of them.
        """
        asked = {branch.id: self._state.current(branch) for branch in action.branches}
        live = [branch for branch in asked.values() if branch.live]
        for branch in live:
            if so_far(branch):
                self._requests.require(Capability.CONTINUE, "extend a branch that has begun", branch.model)
            if action.until == "step":
                self._requests.require(Capability.CONTINUE, "extend step by step", branch.model)
        with self._claimed(live):
            done = await self._advance(lane, live, action)
            await self.read_answers(live, lane)
        await self._raise_if_nothing_came(lane, live, done)
        return [self._state.current(branch) for branch in action.branches]

    async def _advance(self, lane: Lane, live: Sequence[Branch], action: Extend) -> list[_Stretch]:
        """Extend branches together: in one go, or by as many calls as it takes them to get a step further."""
        done: list[_Stretch] = []
        legs = {branch.id: Leg(stop=(STEP,) if action.until == "step" else ()) for branch in live}
        most = {branch.id: branch.tokens + (action.tokens or self._requests.settings.max_tokens) for branch in live}
        while legs:
            going: dict[tuple[Leg, str], list[Branch]] = {}
            for identity, leg in legs.items():
                branch = self._state.branches[identity]
                going.setdefault((leg, branch.model), []).append(branch)
            batches = [
                (batch, leg) for (leg, _), branches in going.items() for batch in self._batches(lane, leg, branches)
            ]
            now = await together([self._continue(lane, batch, leg, most) for batch, leg in batches])
            self._state.deepen(lane, lane.depth + max((stretch.chain for stretch in now), default=0))
            done += now
            legs = self._further(legs, now, most) if action.until == "step" else {}
        return done

    def _further(self, legs: Mapping[str, Leg], now: Sequence[_Stretch], most: Mapping[str, int]) -> dict[str, Leg]:
        """What is still to be done for the branches that have not come to the end of a step."""
        further = {}
        for before, choice in (grown for stretch in now for grown in stretch.grown):
            branch = self._state.branches[before.id]
            leg = next_leg(legs[branch.id], before, choice)
            if leg is not None and branch.live and branch.tokens < most[branch.id]:
                further[branch.id] = leg
        return further

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

    def _batches(self, lane: Lane, leg: Leg, branches: list[Branch]) -> list[list[Branch]]:
        """Branches of one model that stand at the same text go into one call, if it completes several at a time.

        What an earlier life of the run has put together stays so, also if the model has turned out to refuse it since.
        """
        planned = (self._memory.planned(lane, lane.step, leg.part(branch)) or 1 for branch in branches)
        if not self._requests.can(Capability.N, branches[0].model) and max(planned, default=1) == 1:
            return [[branch] for branch in branches]
        batches: dict[tuple[int, str, str], list[Branch]] = {}
        for branch in branches:  # branches of one `sample` share their prompt
            batches.setdefault((id(branch.messages), branch.thinking, branch.text), []).append(branch)
        return list(batches.values())

    async def _continue(self, lane: Lane, batch: list[Branch], leg: Leg, most: Mapping[str, int]) -> _Stretch:
        """Extend branches that stand at the same text, to no more tokens than `most`."""
        done = _Stretch()
        step, before, model = lane.step, 0, batch[0].model  # `before`: of the chain, what the next call waits for
        while batch:
            room = min(self._requests.settings.max_tokens, most[batch[0].id]) - batch[0].tokens
            asked = self._requests.build(
                max_tokens=min(leg.tokens or room, room),
                messages=batch[0].messages,
                model=model,
                prefix=so_far(batch[0]),
                stop=leg.stop,
                seed=self._requests.seed_of(batch[0]),
                branches=(batch[0].id,),
                stream=self._stream or lane.cancellable or lane.deadline != float("inf"),
            )
            fit = self._requests.in_one_call(len(batch), model)
            count = self._count(lane, step, leg.part(batch[0]), fit, asked, model)
            now, batch = batch[:count], batch[count:]
            request = asked if len(now) == 1 else replace(asked, n=len(now), branches=tuple(b.id for b in now))
            try:
                completion = await self._caller.make(lane, step, leg.part(now[0]), "branch", request, model)
            except Cut as cut:
                if cut.limit is None:
                    raise
                done.limit = cut.limit
                done.chain = max(done.chain, before + max((choice.tokens for choice in cut.choices), default=0))
            except BudgetExhausted as limit:
                done.limit = limit
                for branch in (*now, *batch):
                    self._state.end(branch, "budget")
                break
            except PartlyFailed as error:
                self._take(done, now, error.choices, leg, request)
                self._fail(done, [branch for at, branch in enumerate(now) if at not in error.choices], error.cause)
                done.chain = max(done.chain, before + max(choice.tokens for choice in error.choices.values()))
            except BackendError as error:
                self._fail(done, now, error)
                if isinstance(error, Rejected):
                    raise
            else:
                self._take(done, now, dict(enumerate(completion.choices)), leg, request)
                done.chain = max(done.chain, before + max(choice.tokens for choice in completion.choices))
            self._state.reach(lane.depth + done.chain)
            if count < fit:  # the rest needs what this call gave back
                before = done.chain
        return done

    def _take(
        self, done: _Stretch, asked: Sequence[Branch], choices: Mapping[int, Choice], leg: Leg, request: Request
    ) -> None:
        for at, choice in choices.items():
            self._grow(asked[at], choice, leg, request)
            done.grown.append((asked[at], choice))

    def _fail(self, done: _Stretch, branches: Sequence[Branch], cause: BackendError | BudgetExhausted) -> None:
        if isinstance(cause, BudgetExhausted):
            done.limit = cause
            for branch in branches:
                self._state.end(branch, "budget")
            return
        done.failure = cause
        for branch in branches:
            self._state.end(branch, "failed", str(cause))

    def _grow(self, branch: Branch, choice: Choice, leg: Leg, request: Request) -> None:
        limit = self._requests.settings.max_tokens
        if choice.finish == "length" and branch.tokens + request.max_tokens >= limit:
            limit = branch.tokens + choice.tokens  # however the server counts, and whatever its own limit is
        kept = growth(branch, choice, leg)
        self._state.grow(branch.id, kept, limit)
        self._state.book(Charge(discarded=choice.tokens - kept.tokens))

    def _count(self, lane: Lane, step: int, part: str, fit: int, request: Request, model: str) -> int:
        """How many branches the next call takes: what an earlier life of the run asked for, or what fits."""
        planned = self._memory.planned(lane, step, part)
        if planned is not None:
            return planned
        if not lane.account.bounded:
            return fit
        # When none fits, one waits for what calls under way may give back.
        return max(1, lane.account.affordable(most_of(request, self._state.prices.get(model)), fit))

    async def read_answers(self, branches: Iterable[Branch], lane: Lane | None = None) -> None:
        """Find the answers of branches that have ended by themselves; with a `lane` the model may be asked for them."""
        ended = [branch for branch in map(self._state.current, branches) if branch.ending == "stop"]
        unread = [branch for branch in ended if branch.raw_answer is None]
        if lane is not None and self._requests.settings.answers == "model":
            told = [branch for branch in unread if not branch.tool_calls]
            for branch, (raw, chosen) in zip(told, await self._second_look.read(lane, told), strict=True):
                self._state.put(replace(branch, raw_answer=raw, answer=chosen))
            unread = [branch for branch in unread if branch.tool_calls]
        for branch in unread:
            raw, chosen = await self._clusters.answer(branch.text, branch.tool_calls)
            self._state.put(replace(branch, raw_answer=raw, answer=chosen))

    async def _raise_if_nothing_came(self, lane: Lane, tried: Sequence[Branch], done: Sequence[_Stretch]) -> None:
        """A failed sample does not sink a run, but a strategy must hear of it when nothing can come any more."""
        if any(self._state.current(branch).ending not in ("failed", "budget") for branch in tried):
            return
        for stretch in done:
            if stretch.limit is not None:
                raise stretch.limit

        async def gone() -> bool:
            return all(self._caller.gone(model) for model in {branch.model for branch in tried})

        for stretch in done:
            if stretch.failure is not None and await self._memory.once(lane, lane.step, "gone", gone):
                raise stretch.failure
