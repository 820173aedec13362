"""The live driver: performs a strategy's actions against a model, concurrently, and records them."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import anyio
import anyio.lowlevel

from ponder.core import actions
from ponder.core.actions import Action
from ponder.core.answer import Answer
from ponder.core.answer_format import AnswerFormat
from ponder.core.backend import Backend, Capability
from ponder.core.bill import MAIN, Bill, Price
from ponder.core.budget import Account, Budget
from ponder.core.errors import (
    BackendError,
    BudgetExhausted,
    PonderError,
    StoreError,
    StrategyError,
    StrategyStuck,
    VerifierError,
)
from ponder.core.methods.registry import Plan
from ponder.core.problem import Problem, Verifier
from ponder.core.session import Session
from ponder.core.settings import Settings
from ponder.engine.lanes import Lane
from ponder.engine.live.call import Caller, Watch
from ponder.engine.live.equal_answers import Clusters
from ponder.engine.live.perform import Performer
from ponder.engine.live.races import Child, Race
from ponder.engine.live.watchdog import Watchdog
from ponder.engine.program import Cut, Escaped, Returned, abandon, advance, check_children, checked, close, weight
from ponder.engine.resume.journal import Journal, Recorded
from ponder.engine.resume.memory import Memory
from ponder.engine.resume.spent import charges_of
from ponder.engine.state import State

__all__ = ["Live"]

PATIENCE = 10.0
"""Seconds that a strategy may compute between two operations."""

GRACE = 2.0
"""Seconds that a run which somebody stops may take to compare the answers that it has."""

PAUSE = 256
"""After so many actions a lane lets others run, even if none of its actions had to wait."""


class Live:
    """One run of one plan on one problem.

    `backend` is the main model; `models` are others by their roles, with their `prices`.
    `state` may be read at any time, by a display for instance. `watch` is told of streamed text. `recorded` holds what
    an earlier life of the run had done: it is not done again.
    """

    def __init__(
        self,
        plan: Plan,
        problem: Problem,
        backend: Backend,
        *,
        answers: AnswerFormat,
        settings: Settings,
        seed: int,
        budget: Budget | None = None,
        price: Price | None = None,
        models: Mapping[str, Backend] | None = None,
        prices: Mapping[str, Price | None] | None = None,
        verifier: Verifier | None = None,
        journal: Journal | None = None,
        recorded: Recorded | None = None,
        watch: Watch | None = None,
        patience: float = PATIENCE,
    ) -> None:
        self.plan = plan
        self.state = State(
            budget or Budget(), {**(prices or {}), MAIN: price or backend.price}, seed, settings.max_tokens
        )
        self._name = plan.strategy.name
        self._problem = problem
        self._models = {**(models or {}), MAIN: backend}
        self._settings = settings
        self._seed = seed
        self._journal = journal
        self._recorded = recorded or Recorded()
        self._verifier = verifier
        self._watch = watch
        self._patience = patience
        self._acted = 0
        self._clusters = Clusters(answers, self._learned, self._time_for_answers)
        self._born = 0.0
        self._hurry = float("inf")
        self._reason: str | None = None
        self._broke = False
        self._scope = anyio.CancelScope()
        self._ended = anyio.Event()
        self._outcome: Answer | BaseException = StrategyStuck("the run has not ended")
        self._escaped: BaseException | None = None

    def clock(self) -> float:
        """Seconds that the run has lived, earlier lives included."""
        return time.monotonic() - self._born

    def stop(self, reason: str) -> None:
        """End the run now, with the best answer so far. Call it from the run's event loop."""
        self._reason = reason
        self._scope.cancel()

    @property
    def stopped(self) -> bool:
        """True once `stop` was called."""
        return self._reason is not None

    @property
    def _ending(self) -> bool:
        """True once nothing more is to be begun."""
        return self.stopped or self._escaped is not None

    @property
    def escaped(self) -> BaseException | None:
        """What the strategy raised that is no `Exception`, as ``KeyboardInterrupt``; `run` raises it as it is."""
        return self._escaped

    @property
    def broke(self) -> bool:
        """True if the model failed before the strategy was done; the answer is that of the branches until then."""
        return self._broke

    @property
    def bill(self) -> Bill:
        """What it has cost up to now."""
        return replace(self.state.bill, seconds=round(self.clock(), 3))

    def so_far(self, because: str) -> Answer:
        """The best answer and the bill at this moment."""
        return self._finished(self.state.best(because))

    async def run(self) -> Answer:
        """Run to the answer.

        Raises:
            UsageError: the run cannot start; nothing was sent.
            BackendError: the model failed and no branch is complete.
            StrategyError: the strategy is wrong. The exception's `bill` says what was spent.
            BaseException: what the strategy raised that is no `Exception`, once all that it began has ended.
        """
        self._born = time.monotonic() - self._recorded.clock
        self._take_up()
        async with anyio.create_task_group() as outer:
            outer.start_soon(self._live)
            try:
                await self._ended.wait()
            except anyio.get_cancelled_exc_class():
                self.stop("cancelled")  # what is under way is booked, and made again should the run be resumed
                raise
        if isinstance(self._outcome, Answer):
            return self._finished(self._outcome)
        if isinstance(self._outcome, PonderError) and self.state.bill.calls:
            self._outcome.bill = self.bill
        raise self._outcome

    def _finished(self, answer: Answer) -> Answer:
        answer = self.state.finish(answer, self.clock())
        return replace(answer, notes=(*answer.notes, *self._clusters.remarks()))

    def _time_for_answers(self) -> float:
        """Until when answers are looked for and compared."""
        if self._ending and self._hurry == float("inf"):
            self._hurry = anyio.current_time() + GRACE
        return min(self.state.deadline, self._hurry)

    async def _live(self) -> None:
        """The run from start to end, out of reach of whoever cancels the task that waits for it."""
        with anyio.CancelScope(shield=True):
            async with anyio.create_task_group() as self._nursery:
                with Watchdog(self._patience) as self._watchdog:
                    try:
                        self._outcome = await self._verdict()
                    except Exception as error:  # noqa: BLE001 - raised again by `run`, which is not in a group
                        self._outcome = error
                    if self._escaped is not None:
                        self._outcome = self._escaped
        self._memory.commit()
        self._ended.set()

    def _take_up(self) -> None:
        """Set up the run, with what its earlier life has learned and spent."""
        state, recorded = self.state, self._recorded
        clusters = self._clusters
        state.take_up(charges_of(recorded), recorded.lost)
        for entry in recorded.entries:
            if entry.part == "answer" and entry.result is not None:
                clusters.know(entry.result["raw"], entry.result["chosen"])
        self._memory = Memory(self._journal, recorded, state, self.clock)
        caller = Caller(self._models, state, self._memory, self._watch, lambda: self._ending)
        self._performer = Performer(
            caller, self._memory, clusters, state, self._problem, self._settings, self._models, self._verifier,
            stream=self._watch is not None,
            logprobs=int(Capability.LOGPROBS in self.plan.needs),
        )  # fmt: skip

    async def _verdict(self) -> Answer:
        lane = self.state.lane()
        seconds = self.state.root.budget.seconds
        if seconds is not None:
            lane.deadline = self.state.deadline = anyio.current_time() + seconds - self._recorded.clock
        self._performer.check_affordable(lane)
        try:
            with self._scope:
                return await self._strategy(lane)
            if self._escaped is not None:
                raise Escaped(self._escaped)
            return await self._best(self._reason or "interrupted")
        except BudgetExhausted as limit:
            self.state.exhaust(limit)
            return await self._best(str(limit))
        except Cut:
            raise StoreError("the journal of this run does not fit the strategy; it cannot be resumed") from None
        except (BackendError, VerifierError) as error:
            if not any(branch.complete for branch in self.state.branches.values()):
                raise
            self._broke = True
            return await self._best(f"the {'model' if isinstance(error, BackendError) else 'verifier'} failed: {error}")

    async def _best(self, because: str) -> Answer:
        await self._performer.read_answers()
        return self.state.best(because)

    async def _strategy(self, lane: Lane) -> Answer:
        self._session = Session(self._problem, self._settings, self._models)
        try:
            return checked(self._name, await self._drive(lane, self.plan.start(self._session)))
        finally:
            self._session._over = True

    def _guard(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call `function`, a step of the strategy, watched."""
        return self._watchdog.guard(self._session._step, function, *arguments)

    def _escape(self, error: BaseException) -> None:
        """End the run for what the strategy raised, wherever in it that was."""
        if self._escaped is None:
            self._escaped = error
            self._scope.cancel()

    async def _drive(self, lane: Lane, program: Coroutine[Action, Any, Any]) -> Any:
        """Run one coroutine to its end: hand its actions out, send the results in."""
        value: Any = None
        error: Exception | None = None
        races: dict[int, Race] = {}
        try:
            while True:
                self._session._rng = lane.rng
                self._memory.commit()  # before the strategy makes anything of it, which may take its time
                try:
                    asked = advance(self._name, program, value, error, self._guard)
                except StrategyStuck:
                    raise StrategyStuck(
                        f"strategy {self._name} computed for more than {self._patience:g} s without a Session operation"
                    ) from None
                except Escaped as escaped:
                    self._escape(escaped.error)
                    raise
                if isinstance(asked, Returned):
                    return asked.value
                value, error = None, None
                try:
                    value = await self._perform(lane, asked, races)
                except BaseException as failure:
                    abandon(asked)
                    if isinstance(failure, StrategyStuck) or not isinstance(failure, PonderError):
                        raise
                    error = failure
        finally:
            escaping = close(program, self._guard)
            if escaping is not None:
                self._escape(escaping)
            with anyio.CancelScope(shield=True):
                for race in races.values():
                    await race.cancel()

    async def _perform(self, lane: Lane, action: Action, races: dict[int, Race]) -> Any:
        lane.step += 1
        self._acted += weight(action)
        if self._acted > self._settings.max_actions:
            raise StrategyStuck(f"strategy {self._name} performed more than {self._settings.max_actions:,} actions")
        if lane.step % PAUSE == 0:
            await anyio.lowlevel.checkpoint()
        match action:
            case actions.Gather():
                race = self._race(lane, action)
                try:
                    return await race.everything(lane, self.state)
                finally:
                    with anyio.CancelScope(shield=True):
                        await race.cancel()
            case actions.Race():
                races[lane.step] = self._race(lane, action)
                return lane.step
            case actions.Next() | actions.Unrace() if action.race not in races:
                raise StrategyError(f"strategy {self._name} uses as_completed outside of the coroutine that opened it")
            case actions.Next():
                return await races[action.race].next(lane, self.state)
            case actions.Unrace():
                await races[action.race].close()
                del races[action.race]
                return None
            case actions.Limit():
                lane.limits.append((lane.account, lane.deadline))
                lane.account = Account(action.budget, lane.account)
                if action.budget.seconds is not None:
                    began = await self._memory.once(lane, lane.step, "limit", self._memory.time)
                    left = action.budget.seconds - (self.clock() - began)
                    lane.deadline = min(lane.deadline, anyio.current_time() + left)
                return None
            case actions.Unlimit():
                lane.unlimit(self._name)
                return None
            case _:
                return await self._performer.perform(lane, action)

    def _race(self, lane: Lane, action: actions.Gather | actions.Race) -> Race:
        check_children(self._name, action)
        ordered = isinstance(action, actions.Race)
        children = [Child(lane.child(index, self._seed), program) for index, program in enumerate(action.children)]
        race = Race(lane, children, self._memory)
        # On a resume they start in the order in which they had come to where they are.
        for index in sorted(range(len(children)), key=lambda index: self._recorded.reached(children[index].lane.name)):
            self._nursery.start_soon(partial(race.run, index, self._drive, ordered=ordered))
        return race

    def _learned(self, raw: str, chosen: str) -> None:
        # After a stop answers are read out of turn; whoever goes on with the run shall read them in turn again.
        if not self._ending:
            self._memory.note("", 0, "answer", {"raw": raw, "chosen": chosen})
