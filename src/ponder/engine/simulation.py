"""The sync driver: runs a strategy against an in-memory environment, as a simulation in which tokens are time.

Every lane has a depth, the generated tokens that had to come before; an action that generates ends that much later.
So children of gather overlap, the results of as_completed come shortest first, and a branch that is cut is charged for
what it would have produced by then: the same ledger as live, without a model, a clock or an event loop.
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ponder.core import actions
from ponder.core.actions import Action
from ponder.core.answer import Answer
from ponder.core.branch import Branch
from ponder.core.budget import Account, Amount, Budget
from ponder.core.errors import (
    BudgetExhausted,
    InvalidOption,
    MissingCapability,
    PonderError,
    StrategyError,
    StrategyStuck,
    VerifierError,
)
from ponder.core.ledger import Charge
from ponder.core.methods.registry import Plan
from ponder.core.problem import Problem, Reads
from ponder.core.session import Session
from ponder.core.settings import Settings
from ponder.engine.environment import Environment
from ponder.engine.lanes import Lane
from ponder.engine.program import Escaped, Returned, abandon, advance, check_children, checked, close, weight
from ponder.engine.rules import check_scorable, worthless
from ponder.engine.state import State

__all__ = ["drive"]


@dataclass(slots=True, eq=False)
class _Work:
    """An action under way: `finish` gives its result, or more work; `cut` books what it had done after some tokens."""

    started: int
    takes: int
    finish: Callable[[], Any]
    cut: Callable[[int], None]


@dataclass(slots=True, eq=False)
class _Race:
    children: list[_Task]
    finished: deque[_Task] = field(default_factory=deque)
    taken: int = 0
    waiter: _Task | None = None
    gathering: bool = False


@dataclass(slots=True, eq=False)
class _Task:
    """One lane and the coroutine that runs in it."""

    lane: Lane
    program: Coroutine[Any, Any, Any]
    race: _Race | None = None
    work: _Work | None = None
    races: dict[int, _Race] = field(default_factory=dict)
    ended: bool = False
    result: Any = None
    error: Exception | None = None


def drive(
    plan: Plan,
    problem: Problem,
    environment: Environment,
    *,
    settings: Settings | None = None,
    budget: Budget | None = None,
    seed: int = 0,
) -> Answer:
    """The answer that the plan gives in this environment, with the bill. Deterministic.

    Raises:
        InvalidOption: the budget is in dollars or seconds, which no environment knows of.
        StrategyError: the strategy is wrong.
        MissingCapability: it asks for something that the environment has no record of.
    """
    for name, limit in (budget or Budget()).limits():
        if name not in ("tokens", "calls"):
            raise InvalidOption(f"budget {name}={limit:g}: the simulation knows only tokens and calls")
    return _Simulation(plan, problem, environment, settings or Settings(), budget or Budget(), seed).run()


class _Simulation:
    def __init__(
        self, plan: Plan, problem: Problem, environment: Environment, settings: Settings, budget: Budget, seed: int
    ) -> None:
        self._name = plan.strategy.name
        self._environment = environment
        self._settings = settings
        self._seed = seed
        self._state = State(budget, {}, seed, settings.max_tokens)
        self._session = Session(problem, settings)
        self._root = _Task(self._state.lane(), plan.start(self._session))
        self._ready: deque[tuple[_Task, Any, Exception | None]] = deque([(self._root, None, None)])
        self._queue: list[tuple[int, int, _Task, _Work]] = []
        self._starved: list[Callable[[], None]] = []
        self._order = itertools.count()
        self._acted = 0
        self._escaped: Escaped | None = None

    def run(self) -> Answer:
        try:
            while not self._root.ended and self._escaped is None:
                if self._ready:
                    self._step(*self._ready.popleft())
                else:
                    self._finish_next()
        except Escaped as escaped:
            self._escaped = escaped
        self._abandon(self._root)
        self._session._over = True
        if self._escaped is not None:
            raise self._escaped.error
        if isinstance(self._root.error, BudgetExhausted):
            self._state.exhaust(self._root.error)
            return self._state.finish(self._state.best(str(self._root.error)), 0.0)
        if isinstance(self._root.error, VerifierError):
            return self._state.finish(self._state.best(f"the verifier failed: {self._root.error}"), 0.0)
        if self._root.error is not None:
            raise self._root.error
        return self._state.finish(checked(self._name, self._root.result), 0.0)

    def _finish_next(self) -> None:
        """Let the work that ends first end."""
        depth, _, task, work = heapq.heappop(self._queue)
        if task.work is not work:
            return  # cut in the meantime
        self._state.deepen(task.lane, depth)
        task.work = None
        self._resume(task, work.finish)
        starved, self._starved = self._starved, []
        for again in starved:
            again()

    def _resume(self, task: _Task, compute: Callable[[], Any]) -> None:
        """Hand the task what `compute` returns or raises, unless that is more work."""
        try:
            result = compute()
        except PonderError as error:
            self._ready.append((task, None, error))
            return
        if isinstance(result, _Work):
            task.work = result
            heapq.heappush(self._queue, (result.started + result.takes, next(self._order), task, result))
        elif result is not _WAITING:
            self._ready.append((task, result, None))

    def _step(self, task: _Task, value: Any, error: Exception | None) -> None:
        """Run one coroutine up to its next action."""
        if task.ended:
            return
        self._session._rng = task.lane.rng
        try:
            asked = advance(self._name, task.program, value, error, self._session._step)
        except PonderError as failure:
            self._end(task, None, failure)
            return
        if isinstance(asked, Returned):
            self._end(task, asked.value, None)
            return
        task.lane.step += 1
        self._acted += weight(asked)
        if self._acted > self._settings.max_actions:
            limit = f"strategy {self._name} performed more than {self._settings.max_actions:,} actions"
            abandon(asked)
            self._end(task, None, StrategyStuck(limit))
            return
        self._resume(task, lambda: self._perform(task, asked))

    def _end(self, task: _Task, result: Any, error: Exception | None) -> None:
        task.ended, task.result, task.error = True, result, error
        self._abandon(task)
        race = task.race
        if race is not None:
            race.finished.append(task)
            self._tell(race)

    def _abandon(self, task: _Task) -> None:
        """Close a task's coroutine and cut its children, at its own depth."""
        escaping = close(task.program, self._session._step)
        if escaping is not None:
            self._escaped = self._escaped or Escaped(escaping)
        for race in task.races.values():
            self._close(task, race)
        task.races.clear()

    def _perform(self, task: _Task, action: Action) -> Any:  # noqa: C901 - one case an action
        lane, state = task.lane, self._state
        match action:
            case actions.Sample():
                return state.open(lane, action)
            case actions.Append():
                self._environment.append(action.branch, action.text)
                return state.append(action.branch, action.text)
            case actions.Extend():
                live = [branch for branch in map(state.current, action.branches) if branch.live]
                return self._extend(task, action, live, live)
            case actions.Fork():
                return state.fork(lane, action.branch, action.n)
            case actions.Prune():
                return [state.end(branch, "pruned") for branch in action.branches]
            case actions.Probe():
                return self._probe(task, [state.current(branch) for branch in action.branches])
            case actions.Score():
                return self._score(task, [state.current(branch) for branch in action.branches])
            case actions.Chat():
                return self._chat(task, action)
            case actions.Clock():
                return float(lane.depth)
            case actions.Gather() | actions.Race():
                return self._race(task, action)
            case actions.Next() | actions.Unrace() if action.race not in task.races:
                raise StrategyError(f"strategy {self._name} uses as_completed outside of the coroutine that opened it")
            case actions.Next():
                race = task.races[action.race]
                race.waiter = task
                self._tell(race)
                return _WAITING
            case actions.Unrace():
                return self._close(task, task.races.pop(action.race))
            case actions.Limit():
                lane.limits.append((lane.account, lane.deadline))
                lane.account = Account(action.budget, lane.account)
                return None
            case actions.Unlimit():
                return lane.unlimit(self._name)
            case _:
                raise MissingCapability(f"there is no record of {type(action).__name__.lower()} to replay")

    def _extend(self, task: _Task, action: actions.Extend, live: list[Branch], pending: list[Branch]) -> Any:
        """Extend as many branches as the budget covers at a time, then the rest."""
        lane, state = task.lane, self._state
        if not pending:
            after = [state.current(branch) for branch in action.branches]
            if live and state.exhausted and all(state.current(branch).ending == "budget" for branch in live):
                raise state.exhausted
            return after
        room = self._settings.max_tokens - min(branch.tokens for branch in pending)
        ceiling = Amount(tokens=min(action.tokens or room, room), calls=1)
        count = lane.account.affordable(ceiling, len(pending)) if lane.account.bounded else len(pending)
        if count == 0:
            return self._starve(task, action, live, pending, ceiling)
        for _ in range(count):
            lane.account.reserve(ceiling)
        before = pending[:count]
        after = [self._extended(branch, action) for branch in before]

        def finish() -> Any:
            for old, new in zip(before, after, strict=True):
                self._settle(lane, ceiling, Charge(output=new.tokens - old.tokens, calls=1))
                state.put(new)
            return self._extend(task, action, live, pending[count:])

        def cut(tokens: int) -> None:
            for old, new in zip(before, after, strict=True):
                made = min(tokens, new.tokens - old.tokens)
                partial = self._environment.extend(old, made, "end") if made else old
                self._settle(lane, ceiling, Charge(output=made, calls=1))
                state.end(state.put(replace(partial, ending=None)), "pruned")

        takes = max(new.tokens - old.tokens for old, new in zip(before, after, strict=True))
        return _Work(lane.depth, takes, finish, cut)

    def _extended(self, branch: Branch, action: actions.Extend) -> Branch:
        """The branch further along, at most to the end that the settings set it."""
        room = self._settings.max_tokens - branch.tokens
        longer = self._environment.extend(branch, min(action.tokens or room, room), action.until)
        if longer.live and longer.tokens >= self._settings.max_tokens:
            return replace(longer, ending="length")
        return longer

    def _starve(
        self, task: _Task, action: actions.Extend, live: list[Branch], pending: list[Branch], ceiling: Amount
    ) -> Any:
        """Wait for what other lanes may give back of the budget, or give up."""
        try:
            task.lane.account.reserve(ceiling)
        except BudgetExhausted as limit:
            if limit.refundable:
                return self._wait(task, lambda: self._extend(task, action, live, pending))
            self._state.exhaust(limit)
            for branch in pending:
                self._state.end(branch, "budget")
            return self._extend(task, action, live, [])
        raise AssertionError("affordable and reserve disagree")

    def _probe(self, task: _Task, branches: list[Branch]) -> Any:
        found = [(b.answer, 0) if not b.live else self._environment.probe(b) for b in branches]
        return self._ask(task, "probe", [tokens for _, tokens in found], lambda: [answer for answer, _ in found])

    def _chat(self, task: _Task, action: actions.Chat) -> Any:
        replies = list(self._environment.chat(action))
        return self._ask(task, action.purpose, [reply.tokens for reply in replies], lambda: replies)

    def _score(self, task: _Task, branches: list[Branch]) -> Any:
        reads = self._environment.reads
        for branch in branches:
            check_scorable(branch, reads, "of this record")
        found = {branch.id: self._scored(branch, reads) for branch in branches}
        asked = [branch for branch in branches if branch.score is None and not worthless(branch, reads)]

        def result() -> list[Branch]:
            missing = sum(found[branch.id][0] is None for branch in asked)
            if asked and missing == len(asked):
                raise VerifierError("it gave no score for any branch")
            if missing:
                self._state.notes.append(f"{missing} of {len(asked)} scores failed")
            return [self._state.current(branch) for branch in branches]

        return self._take_scores(task, found, list(found), result)

    def _take_scores(
        self,
        task: _Task,
        found: dict[str, tuple[float | None, int]],
        pending: list[str],
        result: Callable[[], list[Branch]],
    ) -> Any:
        """Score as many branches as the budget covers at a time, then the rest; what never fits has no score."""
        lane, state = task.lane, self._state
        now: list[str] = []
        while pending:
            cost = found[pending[0]][1]
            try:
                lane.account.reserve(Amount(tokens=cost, calls=int(cost > 0)))
                now.append(pending.pop(0))
            except BudgetExhausted as limit:
                if limit.refundable:
                    break
                state.exhaust(limit)
                pending.pop(0)
        if pending and not now:
            return self._wait(task, lambda: self._take_scores(task, found, pending, result))

        def finish() -> Any:
            for identity in now:
                state.put(replace(state.branches[identity], score=found[identity][0]))
            return self._take_scores(task, found, pending, result) if pending else result()

        return self._beside(lane, "verifier", [found[identity][1] for identity in now], finish)

    def _scored(self, branch: Branch, reads: Reads) -> tuple[float | None, int]:
        """The branch's score, and the tokens that it takes to ask for it."""
        if branch.score is not None:
            return branch.score, 0
        return (0.0, 0) if worthless(branch, reads) else self._environment.score(branch)

    def _ask(self, task: _Task, purpose: str, costs: Sequence[int], result: Callable[[], Any]) -> Any:
        """Calls beside the branches: all at once, each charged for its tokens."""
        task.lane.account.reserve(Amount(tokens=sum(costs), calls=sum(cost > 0 for cost in costs)))
        return self._beside(task.lane, purpose, costs, result)

    def _beside(self, lane: Lane, purpose: str, costs: Sequence[int], result: Callable[[], Any]) -> Any:
        """Carry out calls whose costs are reserved."""
        ceilings = [Amount(tokens=cost, calls=1) for cost in costs if cost]

        def finish() -> Any:
            for ceiling in ceilings:
                self._settle(lane, ceiling, Charge(purpose=purpose, output=ceiling.tokens, calls=1))
            return result()

        def cut(tokens: int) -> None:
            for ceiling in ceilings:
                made = min(tokens, ceiling.tokens)
                self._settle(lane, ceiling, Charge(purpose=purpose, output=made, discarded=made, calls=1))

        return _Work(lane.depth, max(costs, default=0), finish, cut) if ceilings else result()

    def _wait(self, task: _Task, again: Callable[[], Any]) -> Any:
        """Try again when other lanes have given back some of the budget."""
        self._starved.append(lambda: None if task.ended else self._resume(task, again))
        return _WAITING

    def _race(self, task: _Task, action: actions.Gather | actions.Race) -> Any:
        check_children(self._name, action)
        children = [_Task(task.lane.child(i, self._seed), program) for i, program in enumerate(action.children)]
        race = _Race(children)
        task.races[task.lane.step] = race
        for child in children:
            child.race = race
            self._ready.append((child, None, None))
        if isinstance(action, actions.Race):
            return task.lane.step
        race.gathering, race.waiter = True, task
        self._tell(race)
        return _WAITING

    def _tell(self, race: _Race) -> None:
        """Give a waiting parent what it waits for, if it is there."""
        task = race.waiter
        if task is None:
            return
        if race.gathering:
            failed = next((child for child in race.finished if child.error is not None), None)
            if failed is None and len(race.finished) < len(race.children):
                return
            race.waiter = None
            self._close(task, task.races.pop(task.lane.step))
            for child in race.finished:
                self._state.deepen(task.lane, child.lane.depth)
            results = [child.result for child in race.children]
            self._ready.append((task, results, failed.error if failed else None))
        elif race.finished:
            race.waiter = None
            race.taken += 1
            child = race.finished.popleft()
            self._state.deepen(task.lane, child.lane.depth)
            self._ready.append((task, (True, child.result), child.error))
        elif race.taken == len(race.children):
            race.waiter = None
            self._ready.append((task, (False, None), None))

    def _close(self, task: _Task, race: _Race) -> None:
        """Cut the children that still run, at the depth that the parent has reached."""
        for child in race.children:
            if child.ended:
                continue
            child.ended = True
            if child.work is not None:
                made = max(0, task.lane.depth - child.work.started)
                child.work.cut(made)
                self._state.deepen(child.lane, child.work.started + min(made, child.work.takes))
                child.work = None
            self._abandon(child)

    def _settle(self, lane: Lane, ceiling: Amount, charge: Charge) -> None:
        lane.account.settle(ceiling, charge.amount(None))
        self._state.book(charge)


_WAITING = object()
