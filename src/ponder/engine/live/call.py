"""One model call, all of it: journal, concurrency, budget, retries, deadline, cancellation, booking."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import anyio
import stamina

from ponder.core.backend import Backend, Progress, Request
from ponder.core.bill import MAIN
from ponder.core.branch import Ending
from ponder.core.budget import Amount
from ponder.core.completion import Choice, Completion
from ponder.core.errors import (
    BackendError,
    BudgetExhausted,
    PartlyFailed,
    RateLimited,
    StrategyError,
    describe,
)
from ponder.core.ledger import Charge
from ponder.engine.lanes import Lane
from ponder.engine.live.backend_slots import slots
from ponder.engine.live.worst_cost import most, spent, spent_in_part
from ponder.engine.program import Cut
from ponder.engine.resume import encoding as records
from ponder.engine.resume.journal import Entry
from ponder.engine.resume.kept_choices import Kept
from ponder.engine.resume.memory import Memory
from ponder.engine.state import State

__all__ = ["ATTEMPTS", "LONGEST_WAIT", "Caller", "Watch", "out_of_time"]

# Retries are on the bill; who wants them in a log as well sets one up, and nobody else hears of them.
logging.getLogger("stamina").addHandler(logging.NullHandler())

ATTEMPTS = 4
"""How often a call is made at most, the first time included."""

GIVE_UP = 3
"""After so many failed calls in a row the server is taken to be gone."""

ONE_CALL = Amount(calls=1)

LONGEST_WAIT = 60.0
"""Seconds that a server's Retry-After may make us wait."""

JITTER = 1.0
"""Seconds over which calls spread that a server has told the same time."""

Watch = Callable[[str, str, int], None]
"""Told of streamed text: (branch id, text of the running choice, its tokens)."""


@dataclass(slots=True, eq=False)
class _Call:
    """One call over all its attempts.

    `row`, `charge` and `came`, which is what it had produced when it was cut, are those of the latest; `made` counts
    earlier lives' too. `kept` are choices that are complete, while the others are asked for again.
    """

    lane: Lane
    step: int
    part: str
    purpose: str
    request: Request
    model: str
    kept: Kept
    made: int = 0
    row: int = 0
    charge: Charge = Charge()
    came: tuple[Choice, ...] = ()

    @property
    def produced(self) -> tuple[Choice, ...]:
        """What there is of it so far."""
        return self.kept.whole(self.came)


class Caller:
    """Makes the calls of one run to its models, which are known by their roles, and books them.

    `interrupted` tells whether somebody has stopped the run.
    """

    def __init__(
        self,
        models: Mapping[str, Backend],
        state: State,
        memory: Memory,
        watch: Watch | None,
        interrupted: Callable[[], bool],
    ) -> None:
        self._models = models
        self._slots = {role: slots(model) for role, model in models.items()}
        self._state = state
        self._memory = memory
        self._watch = watch
        self._interrupted = interrupted
        self._refund: anyio.Event | None = None
        self._met: dict[str, BackendError] = {}
        self._answered: Counter[str] = Counter()
        self._failures: Counter[str] = Counter()

    def gone(self, model: str) -> bool:
        """Whether it looks as if nothing can come from a model any more: no call has succeeded, or none of the last."""
        return self._answered[model] == 0 or self._failures[model] >= GIVE_UP

    async def make(
        self, lane: Lane, step: int, part: str, purpose: str, request: Request, model: str = MAIN
    ) -> Completion:
        """The reply of a model to `request`: from the journal if an earlier life of the run received it.

        Branches whose call is cut off are closed with the text that had come.

        Raises:
            BackendError: it failed, retries included; with `PartlyFailed` a part of it.
            BudgetExhausted: it does not fit the budget; for a call that is no branch also: the deadline passed.
            Cut: the deadline passed while it was under way, or an earlier life of the run had cut it off.
        """
        rows = self._memory.recorded.rows(lane.name, step, part)
        call = _Call(lane, step, part, purpose, request, model, Kept(request, rows))
        call.made = sum("failed" in (row.result or {}) for row in rows)
        self._memory.take_up(lane, rows)
        earlier = self._memory.recorded.entry(lane.name, step, part)
        try:
            if earlier is not None:
                return self._replay(call, earlier)
            if lane.sealed:
                raise Cut(call.produced)
            return await self._live(call)
        except (BackendError, BudgetExhausted) as error:
            cause = error.cause if isinstance(error, PartlyFailed) else error
            if isinstance(cause, BudgetExhausted):
                self._state.exhaust(cause)
            if call.kept:
                raise call.kept.failure(cause) from None
            raise
        except Cut as cut:
            self._close(call, cut)
            if cut.limit is not None:
                self._state.exhaust(cut.limit)
                if purpose != "branch":
                    raise cut.limit from None
            raise
        except anyio.get_cancelled_exc_class():
            self._close(call, Cut(call.produced))
            self._state.reach(lane.depth + max((choice.tokens for choice in call.produced), default=0))
            raise

    async def _live(self, call: _Call) -> Completion:
        if call.lane.deadline == float("inf"):
            return await self._in_a_slot(call)
        with anyio.CancelScope(deadline=call.lane.deadline):
            return await self._in_a_slot(call)
        raise Cut(call.produced, out_of_time(call.lane, self._state))

    async def _in_a_slot(self, call: _Call) -> Completion:
        async with self._slots[call.model]:
            await self._pause_if_cancelled()
            try:
                completion = await self._attempt(call)
            except BackendError as error:
                completion = await self._again(call, error)
        self._succeeded(call)
        return completion

    async def _pause_if_cancelled(self) -> None:
        """A task runs on to its next pause when it is cancelled; that pause has to come before anything is sent."""
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            await asyncio.sleep(0)
        if self._interrupted():
            await anyio.sleep_forever()

    def _succeeded(self, call: _Call) -> None:
        self._answered[call.model] += 1
        self._failures[call.model] = 0

    def _failed(self, call: _Call) -> None:
        if call.kept:  # the server does answer
            self._succeeded(call)
        else:
            self._failures[call.model] += 1

    async def _again(self, call: _Call, first: BackendError) -> Completion:
        """The further attempts, with the pauses of `stamina`; it costs too much time for calls that succeed."""
        failure: BackendError | None = first
        attempts = max(1, ATTEMPTS + 1 - call.made)
        try:
            async for attempt in stamina.retry_context(on=_pause, attempts=attempts, timeout=None, wait_initial=0.2):
                with attempt:
                    if failure is not None:
                        error, failure = failure, None
                        raise error
                    return await self._attempt(call)
        except BackendError:
            self._failed(call)
            raise
        raise AssertionError("stamina either returns or raises")

    async def _attempt(self, call: _Call) -> Completion:
        request = call.kept.rest
        ceiling = await self._reserve(call, request)
        retries = int(call.made > 0)
        call.made += 1
        call.came = ()
        if self._memory.writes:
            intent = records.intent(call.purpose, call.request, call.model)
            call.row = self._memory.intend(call.lane, call.step, call.part, intent)
        progress = Progress(spend=lambda: call.lane.account.reserve(ONE_CALL))
        if self._watch is not None:
            progress.watch = _relay(self._watch, request, progress)
        try:
            completion = await self._generate(call, request, progress)
        except PartlyFailed as error:
            kept = records.kept(call.kept.take(error))
            self._settle(
                call, _held(ceiling, progress), spent_in_part(call.purpose, call.model, error, progress, retries)
            )
            self._settle_row(call, {**_outcome(call, error), **kept})
            raise
        except Exception as error:
            self._explain(call, error)
            self._settle(call, _held(ceiling, progress), spent(call.purpose, call.model, progress, retries, failures=1))
            self._settle_row(call, _outcome(call, error))
            raise
        except BaseException:  # cancelled; what it had produced is paid for
            call.came = records.produced(progress)
            self._settle(call, _held(ceiling, progress), spent(call.purpose, call.model, progress, retries))
            self._cut_row(call)
            raise
        usage = completion.usage
        thinking = sum(choice.thinking_tokens for choice in completion.choices)
        self._settle(
            call,
            _held(ceiling, progress),
            Charge(
                purpose=call.purpose, model=call.model, prompt=usage.prompt, cached=usage.cached,
                output=usage.output, thinking=thinking, calls=1 + progress.more, retries=retries + progress.refused,
                failures=progress.refused, estimated=usage.estimated,
            ),
        )  # fmt: skip
        completion = replace(completion, choices=call.kept.whole(completion.choices))
        if self._memory.writes:
            self._settle_row(call, records.completion(completion))
        return completion

    def _explain(self, call: _Call, error: Exception) -> None:
        """Why a call was not even made is told by what this run has met, not by whoever refused it for that."""
        if not isinstance(error, BackendError):
            return
        if error.sent:
            self._met[call.model] = error
        elif call.model in self._met:
            error.args = (str(self._met[call.model]),)

    async def _generate(self, call: _Call, request: Request, progress: Progress) -> Completion:
        """One call; what the backend has to say of it goes to the answer's notes."""
        try:
            return await self._models[call.model].generate(request, progress)
        finally:
            known = self._state.notes
            known.extend(note for note in dict.fromkeys(progress.notes) if note not in known)

    async def _reserve(self, call: _Call, request: Request) -> Amount:
        """Set aside the most that the next attempt can cost, once calls under way have given back what they can."""
        ceiling = most(request, self._state.prices.get(call.model))
        try:
            while True:
                if _late(call.lane):
                    raise out_of_time(call.lane, self._state)
                try:
                    call.lane.account.reserve(ceiling)
                    return ceiling
                except BudgetExhausted as error:
                    if not error.refundable:
                        raise
                self._refund = self._refund or anyio.Event()
                await self._refund.wait()
        except BudgetExhausted as refusal:  # recorded: after a crash the same question may come at another moment
            self._memory.note(call.lane.name, call.step, call.part, {"error": records.error(refusal)})
            raise

    def _settle(self, call: _Call, ceiling: Amount, charge: Charge) -> None:
        call.charge = charge
        call.lane.account.settle(ceiling, charge.amount(self._state.prices.get(charge.model)))
        if self._refund is not None:
            self._refund.set()
            self._refund = None
        self._state.book(charge)

    def _settle_row(self, call: _Call, result: dict[str, Any]) -> None:
        self._memory.settle(call.row, {**result, "charge": call.charge.as_dict()})

    def _cut_row(self, call: _Call) -> None:
        limit = out_of_time(call.lane, self._state) if _late(call.lane) else None
        interrupted = limit is None and self._interrupted()
        if interrupted:  # the text is thrown away, and asked for again when the run resumes
            call.charge += Charge(discarded=call.charge.output - call.charge.discarded)
        self._settle_row(call, records.cut(call.produced, limit=limit, interrupted=interrupted))

    def _close(self, call: _Call, cut: Cut) -> None:
        if call.purpose == "branch":
            ending: Ending = "pruned" if cut.limit is None else "budget"
            self._state.cut(call.request.branches, cut.choices, ending, call.request.max_tokens)

    def _replay(self, call: _Call, entry: Entry) -> Completion:
        result = entry.result or {}
        if entry.intent and not records.same(entry.intent, records.intent(call.purpose, call.request, call.model)):
            raise StrategyError(
                f"the strategy asks for {call.purpose} {call.part!r} otherwise than when this run was recorded; "
                "it or the server has changed since, or it draws randomness from somewhere else than s.rng"
            )
        if "error" in result:
            failure = records.read_error(result["error"])
            if isinstance(failure, BackendError):
                self._failed(call)
            raise failure
        if "cut" in result:
            raise Cut(records.read_cut(result), records.read_limit(result))
        self._succeeded(call)
        return records.read_completion(result)


def _outcome(call: _Call, error: Exception) -> dict[str, Any]:
    """What a failed attempt leaves in its row: an error if it was the last one."""
    if isinstance(error, BackendError) and (call.made >= ATTEMPTS or _pause(error) is False):
        cause = error.cause if isinstance(error, PartlyFailed) else error
        return {"error": records.error(cause)}
    return {"failed": describe(error)}


def _held(ceiling: Amount, progress: Progress) -> Amount:
    """What is set aside for a call, with the further calls that the backend had to make for it."""
    return replace(ceiling, calls=ceiling.calls + progress.more) if progress.more else ceiling


def out_of_time(lane: Lane, state: State) -> BudgetExhausted:
    """What ends the work of a lane at its deadline."""
    return BudgetExhausted("the deadline passed", "seconds", inner=lane.deadline < state.deadline)


def _late(lane: Lane) -> bool:
    return lane.deadline != float("inf") and anyio.current_time() >= lane.deadline


def _pause(error: Exception) -> bool | float:
    """Whether to try again, or the server's own wish when to."""
    error = error.cause if isinstance(error, PartlyFailed) else error
    if not isinstance(error, BackendError) or not error.retryable:
        return False
    if isinstance(error, RateLimited) and error.retry_after is not None:
        # Those who were told the same come back one after the other.
        return error.retry_after + random.uniform(0, JITTER) if error.retry_after <= LONGEST_WAIT else False
    return True


def _relay(watch: Watch, request: Request, progress: Progress) -> Callable[[int], None]:
    def tell(index: int) -> None:
        if index < len(request.branches):
            watch(request.branches[index], progress.texts[index], progress.tokens[index])

    return tell
