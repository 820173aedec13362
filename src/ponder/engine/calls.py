"""One model call, all of it: journal, concurrency, budget, retries, deadline, cancellation, booking."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import anyio
import stamina

from ponder.core.backend import Backend, Choice, Completion, Progress, Request
from ponder.core.budget import Amount
from ponder.core.errors import BackendError, BudgetExhausted, RateLimited
from ponder.core.ledger import Charge, Purpose
from ponder.engine import records
from ponder.engine.journal import Journal, Recorded
from ponder.engine.state import Lane, State

__all__ = ["ATTEMPTS", "LONGEST_WAIT", "Caller", "Cut", "Watch", "most"]

ATTEMPTS = 4
"""How often a call is made at most, the first time included."""

LONGEST_WAIT = 60.0
"""Seconds that a server's Retry-After may make us wait."""

Watch = Callable[[str, str, int], None]
"""Told of streamed text: (branch id, text of the running choice, its tokens)."""


class Cut(Exception):  # noqa: N818 - control flow, never shown to anybody
    """The call ended before it was complete: cancelled, out of time or budget. `choices` is what it had produced."""

    def __init__(self, choices: tuple[Choice, ...], limit: BudgetExhausted | None = None) -> None:
        self.choices = choices
        self.limit = limit


@dataclass(slots=True, eq=False)
class _Call:
    """One call over all its attempts."""

    lane: Lane
    step: int
    part: str
    purpose: Purpose
    request: Request
    row: int | None = None
    attempts: int = 0
    charge: Charge = Charge()


class Caller:
    """Makes the calls of one run and books them."""

    def __init__(
        self,
        backend: Backend,
        state: State,
        journal: Journal | None,
        recorded: Recorded,
        clock: Callable[[], float],
        watch: Watch | None,
    ) -> None:
        self._backend = backend
        self._state = state
        self._journal = journal
        self._recorded = recorded
        self._clock = clock
        self._watch = watch
        self._slots = _slots(backend)
        self._refund = anyio.Event()
        self.interrupted = False
        self.answered = 0
        self.failed_in_a_row = 0
        self.failure: BackendError | None = None

    async def make(self, lane: Lane, step: int, part: str, purpose: Purpose, request: Request) -> Completion:
        """The reply to `request`: from the journal if an earlier life of the run received it.

        Raises:
            BackendError: it failed, retries included.
            BudgetExhausted: it does not fit the budget.
            Cut: the deadline passed while it was under way, or an earlier life of the run had cut it off.
        """
        earlier = self._recorded.result(lane.name, step, part)
        if earlier is not None:
            return self._replay(earlier)
        if lane.sealed:
            raise Cut(())
        call = _Call(lane, step, part, purpose, request, charge=Charge(purpose=purpose))
        async with self._slots:
            try:
                completion = await self._attempt(call)
            except BackendError as error:
                completion = await self._again(call, error)
        self._succeeded()
        return completion

    async def once(self, lane: Lane, step: int, part: str, compute: Callable[[], Awaitable[float]]) -> float:
        """A number that is not computed again when the run resumes: a verifier's score, the time of day."""
        earlier = self._recorded.result(lane.name, step, part)
        if earlier is not None:
            value: float = earlier["value"]
            return value
        value = await compute()
        if self._journal is not None:
            self._journal.note(lane.name, step, part, {"value": value}, self._clock())
        return value

    async def clock(self) -> float:
        """The run's clock, in seconds."""
        return self._clock()

    @property
    def resumed(self) -> bool:
        """True if this run has an earlier life."""
        return bool(self._recorded.entries)

    def _succeeded(self) -> None:
        self.answered += 1
        self.failed_in_a_row = 0

    def _failed(self, error: BackendError) -> None:
        self.failure = error
        self.failed_in_a_row += 1

    async def _again(self, call: _Call, first: BackendError) -> Completion:
        """The further attempts, with the pauses of `stamina`; it costs too much time for calls that succeed."""
        failure: BackendError | None = first
        try:
            async for attempt in stamina.retry_context(on=_pause, attempts=ATTEMPTS, timeout=None, wait_initial=0.2):
                with attempt:
                    if failure is not None:
                        error, failure = failure, None
                        raise error
                    self._book(call, Charge(purpose=call.purpose, retries=1))
                    return await self._attempt(call)
        except BackendError as error:
            self._failed(error)
            self._settle_row(call, {"error": records.error(error)})
            raise
        raise AssertionError("stamina either returns or raises")

    async def _attempt(self, call: _Call) -> Completion:
        call.attempts += 1
        ceiling = await self._reserve(call)
        progress = Progress()
        if self._watch is not None:
            progress.watch = _relay(self._watch, call.request, progress)
        try:
            with anyio.CancelScope(deadline=call.lane.deadline) as scope:
                completion = await self._backend.generate(call.request, progress)
        except BackendError:
            self._settle(call, ceiling, _spent(call.purpose, progress, failures=1))
            raise
        except BaseException:  # cancelled from outside; what it had produced is paid for
            self._cut(call, ceiling, progress)
            raise
        if scope.cancelled_caught:
            limit = BudgetExhausted("the deadline passed", "seconds")
            self._cut(call, ceiling, progress, limit)
            raise Cut(records.produced(progress), limit)
        usage = completion.usage
        thinking = sum(choice.thinking_tokens for choice in completion.choices)
        self._settle(
            call,
            ceiling,
            Charge(
                purpose=call.purpose, prompt=usage.prompt, cached=usage.cached, output=usage.output,
                thinking=thinking, calls=1,
            ),
        )  # fmt: skip
        self._settle_row(call, records.completion(completion))
        return completion

    def _cut(self, call: _Call, ceiling: Amount, progress: Progress, limit: BudgetExhausted | None = None) -> None:
        charge = _spent(call.purpose, progress)
        self._settle(call, ceiling, charge)
        if self.interrupted:  # the text is thrown away and asked for again when the run resumes
            call.charge += Charge(discarded=charge.output - charge.discarded)
        self._settle_row(call, records.cut(progress, limit=limit, interrupted=self.interrupted))
        if call.purpose == "branch" and limit is None:
            self._state.cut(call.request.branches, records.produced(progress), "pruned", call.request.max_tokens)

    async def _reserve(self, call: _Call) -> Amount:
        """Set aside the most that the next attempt can cost, once calls under way have given back what they can."""
        ceiling = most(call.request, self._state)
        while True:
            if self._clock_expired(call.lane):
                raise BudgetExhausted("the deadline passed", "seconds")
            refund = self._refund
            try:
                call.lane.account.reserve(ceiling)
                break
            except BudgetExhausted as error:
                if not error.refundable:
                    if call.row is not None:
                        self._settle_row(call, {"error": records.error(error)})
                    raise
            with anyio.move_on_at(call.lane.deadline):
                await refund.wait()
        if call.row is None and self._journal is not None:
            intent = records.intent(call.purpose, call.request)
            call.row = self._journal.intend(call.lane.name, call.step, call.part, intent, self._clock())
        return ceiling

    def _clock_expired(self, lane: Lane) -> bool:
        return lane.deadline != float("inf") and anyio.current_time() >= lane.deadline

    def _settle(self, call: _Call, ceiling: Amount, charge: Charge) -> None:
        call.lane.account.settle(ceiling, charge.amount(self._state.price))
        self._refund.set()
        self._refund = anyio.Event()
        self._book(call, charge)

    def _book(self, call: _Call, charge: Charge) -> None:
        self._state.book(charge)
        call.charge += charge

    def _settle_row(self, call: _Call, result: dict[str, Any]) -> None:
        if call.row is not None and self._journal is not None:
            self._journal.settle(call.row, {**result, "charge": call.charge.as_dict()}, self._clock())

    def _replay(self, result: Any) -> Completion:
        if "error" in result:
            failure = records.read_error(result["error"])
            if isinstance(failure, BackendError):
                self._failed(failure)
            raise failure
        if "cut" in result:
            raise Cut(records.read_cut(result), records.read_limit(result))
        self._succeeded()
        return records.read_completion(result)


def most(request: Request, state: State) -> Amount:
    """The most that one attempt at `request` can cost.

    No tokenizer makes more tokens than the text has bytes; the constant covers what a chat template adds to a message.
    """
    tokens = request.n * request.max_tokens
    if state.price is None:
        return Amount(tokens=tokens, calls=1)
    prompt = sum(len(str(message.get("content", "")).encode()) + 64 for message in request.messages)
    return Amount(tokens, 1, state.price.cost(prompt + len(request.prefix.encode()), 0, tokens))


def _spent(purpose: Purpose, progress: Progress, failures: int = 0) -> Charge:
    """What a call that was not completed had cost so far.

    The text of a branch that is cut stays with the branch; anything else is thrown away.
    """
    output = sum(progress.tokens)
    kept = purpose == "branch" and not failures
    return Charge(
        purpose=purpose, prompt=progress.prompt_tokens, cached=progress.cached_tokens, output=output,
        discarded=0 if kept else output, calls=1, failures=failures,
    )  # fmt: skip


def _pause(error: Exception) -> bool | float:
    """Whether to try again, or the server's own wish when to."""
    if not isinstance(error, BackendError) or not error.retryable:
        return False
    if isinstance(error, RateLimited) and error.retry_after is not None:
        return error.retry_after if error.retry_after <= LONGEST_WAIT else False
    return True


def _relay(watch: Watch, request: Request, progress: Progress) -> Callable[[int], None]:
    def tell(index: int) -> None:
        if index < len(request.branches):
            watch(request.branches[index], progress.texts[index], progress.tokens[index])

    return tell


# Several runs may share one backend; the limit is the backend's. A semaphore belongs to one event loop.
_semaphores: weakref.WeakKeyDictionary[Backend, tuple[asyncio.AbstractEventLoop, anyio.Semaphore]]
_semaphores = weakref.WeakKeyDictionary()


def _slots(backend: Backend) -> anyio.Semaphore:
    loop = asyncio.get_running_loop()
    known = _semaphores.get(backend)
    if known is None or known[0] is not loop:
        known = (loop, anyio.Semaphore(backend.concurrency, fast_acquire=True))
        _semaphores[backend] = known
    return known[1]
