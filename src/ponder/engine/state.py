"""What both drivers keep of a run: branches, bill, accounts. All booking happens here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from ponder.core.actions import Sample
from ponder.core.answer import Answer
from ponder.core.bill import Bill, Price
from ponder.core.branch import Branch, Ending
from ponder.core.budget import Account, Amount, Budget
from ponder.core.completion import Choice
from ponder.core.errors import BudgetExhausted, StrategyError
from ponder.core.ledger import Charge, Ledger
from ponder.core.voting.typical import best_reply
from ponder.core.voting.vote import vote, vote_by_score
from ponder.engine.lanes import Lane, lane_rng
from ponder.engine.steps import STEP

__all__ = ["State", "grow"]

UNUSED = ("pruned", "failed", "budget")
"""Endings of branches whose text no answer uses."""


class State:
    """A run's branches, money and remarks."""

    def __init__(self, budget: Budget, prices: Mapping[str, Price | None], seed: int, max_tokens: int = 0) -> None:
        self._max_tokens = max_tokens
        self.root = Account(budget)
        self.prices = prices
        self.seed = seed
        self.branches: dict[str, Branch] = {}
        self.notes: list[str] = []
        self.exhausted: BudgetExhausted | None = None
        self.deadline = float("inf")
        self._ledger = Ledger(prices)
        self._looked: dict[str, set[tuple[object, ...]]] = {}
        self._starts: dict[str, int] = {}
        self._children: dict[str, list[str]] = {}
        self._discarded: dict[str, int] = {}

    def take_up(self, charges: Iterable[Charge], lost: int) -> None:
        """Book what an earlier life of the run had spent, and how many of its calls have no known outcome."""
        for charge in charges:
            self.book(charge)
            self.root.settle(Amount(), charge.amount(self.prices.get(charge.model)))
        self._ledger.lost_calls = lost

    @property
    def bill(self) -> Bill:
        """What the run has cost up to now, but for the time."""
        return self._ledger.bill

    def lane(self) -> Lane:
        """The root lane."""
        return Lane("", self.root, lane_rng(self.seed, ""))

    def open(self, lane: Lane, asked: Sample) -> list[Branch]:
        """New branches, named by the lane that opens them."""
        names = [lane.name_branch() for _ in range(asked.n)]
        return [self.put(Branch(id=name, messages=asked.messages, model=asked.model)) for name in names]

    def fork(self, lane: Lane, parent: Branch, n: int) -> list[Branch]:
        """Children of a branch, that stand where it does."""
        parent = self.current(parent)
        names = [lane.name_branch() for _ in range(n)]
        for name in names:
            self._starts[name] = parent.tokens
            self._children.setdefault(parent.id, []).append(name)
        return [self.put(replace(parent, id=name, parent=parent.id)) for name in names]

    def current(self, branch: Branch) -> Branch:
        """The newest state of a branch: a strategy may hold an older one.

        Raises:
            StrategyError: it is none of this run's, or was changed by hand.
        """
        newest = self.branches.get(branch.id)
        if newest is None:
            raise StrategyError(
                f"branch {branch.id!r:.60} is none of this run's; take those that sample() and fork() give"
            )
        if branch is not newest and _looks(branch) not in self._looked[branch.id]:
            raise StrategyError(f"branch {branch.id} was changed by hand; append() puts text behind a branch")
        return newest

    def put(self, branch: Branch) -> Branch:
        """Remember a branch's new state."""
        self.branches[branch.id] = branch
        self._looked.setdefault(branch.id, set()).add(_looks(branch))
        return branch

    def append(self, branch: Branch, text: str) -> Branch:
        """Put text that the model did not write behind a branch; one that had ended by itself is live again.

        Raises:
            StrategyError: nothing can follow on this branch.
        """
        branch = self.current(branch)
        if branch.ending not in (None, "stop") or branch.tool_calls or branch.tokens >= self._max_tokens:
            why = f"it ended: {branch.ending}" if branch.ending else "it is at its token limit"
            why = "it called a tool" if branch.tool_calls else why
            raise StrategyError(f"nothing can be appended to branch {branch.id}: {why}")
        branch = replace(branch, ending=None, answer=None, raw_answer=None, score=None)
        if branch.thinking and not branch.text:
            return self.put(replace(branch, thinking=branch.thinking + text))
        return self.put(replace(branch, text=branch.text + text))

    def book(self, charge: Charge) -> None:
        """Put a charge on the bill. Accounts are settled by whoever reserved."""
        self._ledger.book(charge)

    def deepen(self, lane: Lane, depth: int) -> None:
        """The lane has reached `depth` on the latency axis."""
        lane.depth = max(lane.depth, depth)
        self.reach(lane.depth)

    def reach(self, depth: int) -> None:
        """Something under way has come to `depth`: it counts, even if the lane never gets there."""
        self._ledger.sequential_tokens = max(depth, self._ledger.sequential_tokens)

    def end(self, branch: Branch, ending: Ending, error: str | None = None) -> Branch:
        """Close a branch that has not ended by itself; what it produced is kept, and no longer counts as used."""
        branch = self.current(branch)
        if branch.ending is None or (ending == "pruned" and branch.complete):
            branch = self.put(replace(branch, ending=ending, answer=None, error=error))
            self._discard(branch)
        return branch

    def grow(self, identity: str, choice: Choice, limit: int) -> None:
        """The model has continued a branch; one that was closed meanwhile stays as it was."""
        branch = self.branches[identity]
        if branch.live:
            self.put(grow(branch, choice, limit))
        else:
            self.book(Charge(discarded=choice.tokens))

    def cut(self, identities: Sequence[str], choices: Sequence[Choice], ending: Ending, limit: int) -> None:
        """Branches whose call was cut off: they keep the text that had come.

        One that had ended by itself before a limit was reached has ended so.
        """
        for position, identity in enumerate(identities):
            live = self.branches[identity].live
            if position < len(choices):
                self.grow(identity, choices[position], limit)
            whole = position < len(choices) and choices[position].finish in ("stop", "content_filter")
            if live and not (whole and ending == "budget"):
                self.end(self.put(replace(self.branches[identity], ending=None)), ending)

    def exhaust(self, limit: BudgetExhausted) -> None:
        """Remember the first limit of the run that was reached: the answer says why it stopped."""
        if not limit.inner:
            self.exhausted = self.exhausted or limit

    def best(self, because: str) -> Answer:
        """The best answer so far, when the strategy cannot give one: by score if scored, else by vote."""
        complete = [branch for branch in self._in_order() if branch.complete]
        if complete and all(branch.score is not None for branch in complete):
            return vote_by_score(complete, because)
        return vote(complete, because=because)

    def finish(self, answer: Answer, seconds: float) -> Answer:
        """The strategy's answer, with everything that the engine knows."""
        branches = self._in_order()
        failed = [branch for branch in branches if branch.ending == "failed"]
        notes = [*self.notes]
        if failed:
            notes.append(f"{len(failed)} of {len(branches)} samples failed: {failed[0].error}")
        because = answer.stopped_because or "the strategy gave its answer"
        if self.exhausted is not None and str(self.exhausted) not in because:
            because = f"{self.exhausted}; {because}"
        because += self._too_long()
        return replace(
            _shown(answer, branches),
            stopped_because=because,
            bill=replace(self.bill, seconds=round(seconds, 3)),
            branches=tuple(branches),
            notes=(*answer.notes, *notes),
        )

    def _too_long(self) -> str:
        """What to say where no reply came to its end."""
        complete = [branch for branch in self.branches.values() if branch.complete]
        if not complete or any(branch.ending != "length" for branch in complete):
            return ""
        cut = "the only reply was" if len(complete) == 1 else f"all {len(complete)} replies were"
        if max(branch.tokens for branch in complete) < self._max_tokens:
            cut += " cut at the limit of the server, or at"
        else:
            cut += " cut at"
        return f"; {cut} max_tokens={self._max_tokens}: raise it (--max-tokens, or max_tokens= from Python)"

    def _in_order(self) -> list[Branch]:
        """All branches by their place in the program, which unlike their place in time is the same after a crash."""
        return sorted(self.branches.values(), key=lambda branch: [int(part) for part in re.findall(r"\d+", branch.id)])

    def _discard(self, branch: Branch | None) -> None:
        """Book what no branch uses any more: of this closed branch, and of closed ones that it was forked from."""
        while branch is not None and branch.ending in UNUSED:
            start = self._starts.get(branch.id, 0)
            used = [self._starts[child] for child in self._children.get(branch.id, ()) if self._used(child)]
            wasted = branch.tokens - max(start, *used, 0)
            self.book(Charge(discarded=wasted - self._discarded.get(branch.id, 0)))
            self._discarded[branch.id] = wasted
            branch = self.branches.get(branch.parent or "")

    def _used(self, identity: str) -> bool:
        """True if an answer may still use the branch, or one that was forked from it."""
        return self.branches[identity].ending not in UNUSED or any(map(self._used, self._children.get(identity, ())))


def _shown(answer: Answer, branches: Sequence[Branch]) -> Answer:
    """The answer; where there was nothing to vote on, with the reply that stands for all."""
    if answer.value is not None or answer.abstained:
        return answer
    if not answer.text:
        reply = best_reply(branches) if any(branch.text for branch in branches) else None
        if reply is None or not reply.text:
            return answer
        answer = replace(answer, text=reply.text, branch=reply.id, confidence=None)
    return replace(answer, unvoted=True)


def _looks(branch: Branch) -> tuple[object, ...]:
    """A state of a branch, short enough to be remembered."""
    return hash(branch.text), hash(branch.thinking), branch.tokens, branch.ending, branch.answer, branch.score


def grow(branch: Branch, choice: Choice, limit: int) -> Branch:
    """The branch after the model has continued it; `limit` is the most tokens a branch may have."""
    tokens = branch.tokens + choice.tokens
    ending: Ending | None = None
    if choice.finish == "stop" or choice.finish == "content_filter":
        ending = choice.finish
    elif tokens >= limit:
        ending = "length"
    text, thinking = _joined(branch, choice)
    if ending is not None and thinking:
        text, thinking = text.lstrip(), thinking.strip()
    logprob = choice.logprob
    if choice.logprob is not None and branch.logprob is not None and tokens:
        logprob = (branch.logprob * branch.tokens + choice.logprob * choice.tokens) / tokens
    return replace(
        branch,
        text=text,
        thinking=thinking,
        tokens=tokens,
        ending=ending,
        score=None,
        logprob=logprob,
        tool_calls=branch.tool_calls + choice.tool_calls,
    )


def _joined(branch: Branch, choice: Choice) -> tuple[str, str]:
    """The visible text and the reasoning of both; a blank line alone stands for reasoning that has just ended."""
    text, thinking = branch.text, branch.thinking
    if choice.thinking and text.strip() and not thinking:  # the template had opened it: only its end could be seen
        text, thinking = "", text
    text, thinking = text + choice.text, thinking + choice.thinking
    return (STEP if choice.thinking_closed and not text else text), thinking
