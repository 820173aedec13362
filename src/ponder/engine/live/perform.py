"""What each action means against a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ponder.core import actions
from ponder.core.backend import Backend, Capability
from ponder.core.bill import MAIN
from ponder.core.errors import BudgetTooSmall
from ponder.core.problem import Problem, Verifier
from ponder.core.settings import Settings
from ponder.engine.lanes import Lane
from ponder.engine.live.ask import Beside
from ponder.engine.live.call import Caller
from ponder.engine.live.equal_answers import Clusters
from ponder.engine.live.extend import Extender
from ponder.engine.live.requests import Requests
from ponder.engine.live.worst_cost import most
from ponder.engine.resume.memory import Memory
from ponder.engine.state import State

__all__ = ["Performer"]


class Performer:
    """Performs the actions of one run that touch branches or the model."""

    def __init__(
        self,
        caller: Caller,
        memory: Memory,
        clusters: Clusters,
        state: State,
        problem: Problem,
        settings: Settings,
        models: Mapping[str, Backend],
        verifier: Verifier | None,
        stream: bool,
        logprobs: int,
    ) -> None:
        self._memory = memory
        self._state = state
        self._requests = Requests(problem, settings, models, state.seed, logprobs)
        self._extender = Extender(caller, memory, clusters, state, self._requests, stream=stream)
        self._beside = Beside(caller, memory, clusters, state, self._requests, verifier)

    async def perform(self, lane: Lane, action: actions.Action) -> Any:
        """Carry out one action and return what the strategy awaits."""
        match action:
            case actions.Sample():
                return self._state.open(lane, action)
            case actions.Append():
                self._requests.require(Capability.CONTINUE, "go on from appended text", action.branch.model)
                return self._state.append(action.branch, action.text)
            case actions.Fork():
                self._requests.require(Capability.CONTINUE, "fork", action.branch.model)
                return self._state.fork(lane, action.branch, action.n)
            case actions.Extend():
                return await self._extender.extend(lane, action)
            case actions.Probe():
                for branch in action.branches:
                    self._requests.require(Capability.CONTINUE, "probe", branch.model)
                return await self._beside.probe(lane, action.branches)
            case actions.Prune():
                return [self._state.end(branch, "pruned") for branch in action.branches]
            case actions.Score():
                return await self._beside.score(lane, action.branches)
            case actions.Chat():
                return await self._beside.chat(lane, action)
            case actions.Clock():
                return await self._memory.once(lane, lane.step, "clock", self._memory.time)
            case _:
                raise TypeError(f"no driver performs {action!r}")

    async def read_answers(self) -> None:
        """Find the answers of all branches: an action that was stopped has not come to it."""
        await self._extender.read_answers(list(self._state.branches.values()))

    def check_affordable(self, lane: Lane) -> None:
        """See that at least one call fits the budget.

        Raises:
            BudgetTooSmall: it does not.
        """
        request = self._requests.build(max_tokens=self._requests.settings.max_tokens)
        ceiling = most(request, self._state.prices.get(MAIN))
        if not lane.account.bounded or lane.account.affordable(ceiling, 1) or self._memory.resumed:
            return
        raise BudgetTooSmall(
            f"the budget does not cover one call: that may take {ceiling.tokens:,} tokens"
            + (f" and ${ceiling.usd:.6f}" if self._state.prices.get(MAIN) else "")
            + "; raise the budget or lower max_tokens"
        )
