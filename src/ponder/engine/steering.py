"""A controller live: its source runs interpreted, on lists, inside a strategy that carries out its plans."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ponder.core.answer import Answer
from ponder.core.branch import Branch
from ponder.core.errors import BudgetExhausted, StrategyError
from ponder.core.methods import plane
from ponder.core.methods.controller import TO_END, Program
from ponder.core.session import MAX_BRANCHES, Session
from ponder.core.voting.vote import beta_confidence

__all__ = ["steer"]


async def steer(s: Session, name: str, program: Program, options: Sequence[Any], interval: int) -> Answer:
    """Play the controller `name` on a model; `interval` is the tokens between two probes.

    The plane is kept by the functions that replay uses, so that the same branches lead to the same actions. In a round
    all branches advance together. One whose calls fail has finished without an answer. At a limit of the budget the
    vote so far is the answer.

    Raises:
        StrategyError: the controller does what cannot be done; the text names the line.
    """
    run = _Run(s, interval)
    steps: Any = program(run.view, run.plan, *options)
    line, rounds, because = program.__code__.co_firstlineno, 0, "stopped"
    for _ in steps:
        line, rounds = steps.gi_frame.f_lineno, rounds + 1
        mistake = await run.carry_out()
        if mistake or run.starved:
            because = "was stopped"
            break
    else:
        mistake = plane.overlooked(run.view, run.plan, MAX_BRANCHES)
    if mistake:
        raise StrategyError(f"{program.__code__.co_filename}, line {line}: the controller {plane.MISTAKES[mistake]}")
    if left := [branch for branch in run.branches if branch.live]:
        await s.prune(left)
    return run.answer(f"{name} {because} after {rounds} round{'' if rounds == 1 else 's'}")


class _Run:
    """What the controller sees and plans, and the branches behind it; `starved` once the budget has ended the run."""

    def __init__(self, s: Session, interval: int) -> None:
        view, plan = plane.furnish(MAX_BRANCHES, 0, lambda size: [0] * size, lambda size: [0.0] * size)
        # How many answers there will be nobody knows: these grow.
        self._votes: list[int] = []
        self._tally: list[int] = []
        self._first: list[int] = []
        self.view = view._replace(votes=self._votes)
        self.plan = plan._replace(tally=self._tally)
        plane.clear(self.view, self.plan, MAX_BRANCHES)
        self.branches: list[Branch] = []
        self.starved = False
        self._s = s
        self._interval = interval
        self._started = [0] * MAX_BRANCHES
        self._probed: dict[int, str | None] = {}
        self._ids: dict[str, int] = {}

    async def carry_out(self) -> int:
        """Do what is planned for one round; `FINE`, or the position in `MISTAKES` of what is wrong with it."""
        view, plan, opened = self.view, self.plan, self.view.n_opened[0]
        mistake = plane.open_branches(view, plan)
        if mistake:
            return mistake
        planned = [b for b in range(view.n_opened[0]) if plan.prune[b] or plan.advance[b] or plan.run[b]]
        for b in planned:
            mistake = plane.mistaken(view, plan, b)
            if mistake:
                return mistake
        if not planned:
            return plane.overlooked(view, plan, MAX_BRANCHES) or plane.NOTHING
        if view.n_opened[0] > opened:
            self.branches += await self._s.sample(view.n_opened[0] - opened)
        moving = [b for b in planned if not plan.prune[b]]
        await self._prune([b for b in planned if plan.prune[b]])
        try:
            await self._move(moving)
        except BudgetExhausted:
            self.starved = True
        self._arrive(moving)
        return plane.FINE

    async def _prune(self, which: Sequence[int]) -> None:
        for b in which:
            self.plan.prune[b], self.view.pruned[b] = 0, 1
        if which:
            self._put(which, await self._s.prune([self.branches[b] for b in which]))

    async def _move(self, which: Sequence[int]) -> None:
        """Continue branches: those with probes interval by interval, the others in one go, all at the same time."""
        goals: dict[int, list[int]] = {}
        for b in which:
            self._started[b] = self.view.depth[b]
            goals.setdefault(self.plan.run[b], []).append(b)
        lanes = [self._run(together, run) if run else self._advance(together) for run, together in goals.items()]
        if len(lanes) == 1:
            await lanes[0]
        elif lanes:
            await self._s.gather(*lanes)

    async def _run(self, which: Sequence[int], run: int) -> None:
        tokens = None if run == TO_END else run * self._interval
        self._put(which, await self._s.extend([self.branches[b] for b in which], tokens=tokens))
        for b in which:
            branch = self.branches[b]
            self.view.depth[b] = self.view.depth[b] + run if branch.live else -(-branch.tokens // self._interval)

    async def _advance(self, which: Sequence[int]) -> None:
        while which and not self.starved:
            self._put(which, await self._s.extend([self.branches[b] for b in which], tokens=self._interval))
            live = [b for b in which if self.branches[b].live]
            if live:
                found = await self._s.probe([self.branches[b] for b in live])
                self._probed |= dict(zip(live, found, strict=True))
            for b in which:
                self.view.depth[b] += 1
                self.plan.advance[b] -= 1
            which = [b for b in live if self.plan.advance[b]]

    def _put(self, which: Sequence[int], branches: Sequence[Branch]) -> None:
        for b, branch in zip(which, branches, strict=True):
            self.branches[b] = branch
            self.starved |= branch.ending == "budget"

    def _arrive(self, which: Sequence[int]) -> None:
        """Show what the branches of a round have come to, and count the votes."""
        view, finished = self.view, self.view.n_finished[0]
        for b in which:
            branch = self.branches[b]
            self.plan.advance[b] = self.plan.run[b] = 0
            if branch.complete or branch.ending == "failed":
                view.answer[b] = self._show(branch.answer)
                finished = plane.finish(view, self._started, b, branch.tokens, finished)
            elif b in self._probed:
                view.answer[b] = self._show(self._probed[b])
        self._probed.clear()
        plane.count_votes(view, self._first, finished)
        if view.leader[0] >= 0:
            view.confidence[0] = beta_confidence(view.top[0], view.top[1])

    def _show(self, answer: str | None) -> int:
        """The id under which the controller knows an answer; the next one if it has not been shown before."""
        if answer is None:
            return -1
        if answer not in self._ids:
            self._ids[answer] = self.view.n_answers[0]
            self.view.n_answers[0] += 1
            for grows in (self._votes, self._tally, self._first):
                grows.append(0)
        return self._ids[answer]

    def answer(self, because: str) -> Answer:
        """What the controller has decided on, with the votes behind it."""
        view, chosen = self.view, plane.decide(self.view, self.plan)
        pruned = sum(view.pruned[b] for b in range(view.n_opened[0]))
        counts = f"{view.n_finished[0]} of {view.n_opened[0]} branches finished, {pruned} pruned"
        if chosen < 0:
            return Answer(value=None, stopped_because=f"{because}: {counts}, no answer")
        names = list(self._ids)
        finished = [view.order[i] for i in range(view.n_finished[0])]
        rest = [b for b in range(view.n_opened[0]) if not (view.finished[b] or view.pruned[b]) and view.answer[b] >= 0]
        # As in `plane.decide`: a vote that has begun is one of finished branches.
        voters = finished if self.plan.answer[0] < 0 and view.leader[0] >= 0 else finished + rest
        votes = {names[chosen]: 0.0}
        for b in voters:
            if view.answer[b] >= 0:
                votes[names[view.answer[b]]] = votes.get(names[view.answer[b]], 0.0) + 1
        spokesman = next((self.branches[b] for b in voters if view.answer[b] == chosen), None)
        return Answer(
            value=names[chosen],
            text=spokesman.text if spokesman else "",
            branch=spokesman.id if spokesman else None,
            confidence=votes[names[chosen]] / len(voters) if voters else None,
            stopped_because=f"{because}: {counts}",
            votes=dict(sorted(votes.items(), key=lambda vote: (vote[0] != names[chosen], -vote[1]))),
        )
