"""A second look by the model itself, where rules find no answer in a reply or cannot tell whether two are the same."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from ponder.core.backend import Message
from ponder.core.branch import Branch
from ponder.core.errors import BackendError, BudgetExhausted
from ponder.engine.lanes import Lane
from ponder.engine.live.call import Caller
from ponder.engine.live.call_group import together
from ponder.engine.live.equal_answers import Clusters
from ponder.engine.live.requests import Requests
from ponder.engine.state import State

__all__ = ["SecondLook"]

_WHICH = (
    "Which final answer does this reply give? Write the answer alone, as short as you can, or NONE if it gives none."
)
_SAME = "Do these two answers to the question mean the same?\n1. {left}\n2. {right}\nReply with one word, Yes or No."
_TOKENS = 48
"""Of a call; an answer that does not fit is none that can be voted on."""

_SHORT = 80
"""Characters of an answer that is asked about; longer ones hardly ever mean the same."""

_PAIRS = 4
"""With so many earlier answers one is compared at most."""


@dataclass(slots=True)
class _Asked:
    """The calls about one branch: where they are journalled, how many there were, and how long the chain of them is."""

    lane: Lane
    step: int
    branch: str
    calls: int = 0
    chain: int = 0


class SecondLook:
    """Asks the model of one run what the replies of its branches come to; each call is on the bill as a probe.

    What cannot be asked, for want of budget or because the call failed, stays without an answer, or different.
    """

    def __init__(self, caller: Caller, clusters: Clusters, state: State, requests: Requests) -> None:
        self._caller = caller
        self._clusters = clusters
        self._state = state
        self._requests = requests

    async def read(self, lane: Lane, branches: Sequence[Branch]) -> list[tuple[str | None, str | None]]:
        """For each branch the answer as it puts it, and its representative; both None if it gives none."""
        asked = [_Asked(lane, lane.step, branch.id) for branch in branches]
        raws = await together([self._raw(one, branch) for one, branch in zip(asked, branches, strict=True)])
        took = max((one.chain for one in asked), default=0)
        found: list[tuple[str | None, str | None]] = []
        for one, raw in zip(asked, raws, strict=True):  # in order: the first of equal answers stands for them
            before = one.chain
            found.append((raw, None if raw is None else await self._clusters.representative(raw, self._same(one))))
            took += one.chain - before
        self._state.deepen(lane, lane.depth + took)
        return found

    async def _raw(self, asked: _Asked, branch: Branch) -> str | None:
        raw = await self._clusters.extract(branch.text)
        if raw is not None or not branch.text.strip():
            return raw
        said = await self._ask(asked, ({"role": "assistant", "content": branch.text}, _user(_WHICH)))
        text = said.strip().strip("*`\"'").strip()
        if text.rstrip(".").casefold() == "none":
            return None
        return await self._clusters.extract(text) or (text if 0 < len(text) <= _SHORT and "\n" not in text else None)

    def _same(self, asked: _Asked) -> Callable[[str, str], Awaitable[bool]]:
        async def same(left: str, right: str) -> bool:
            if asked.calls > _PAIRS or not (_is_words(left) and _is_words(right)):
                return False
            said = await self._ask(asked, (_user(_SAME.format(left=left, right=right)),))
            return said.strip().lower().startswith("yes")

        return same

    async def _ask(self, asked: _Asked, turns: tuple[Message, ...]) -> str:
        request = replace(
            self._requests.build(max_tokens=_TOKENS, temperature=0.0),
            messages=(*self._requests.problem.messages, *turns),
            options={},
            logprobs=0,
        )
        part = f"{asked.branch}={asked.calls}"
        asked.calls += 1
        try:
            completion = await self._caller.make(asked.lane, asked.step, part, "probe", request)
        except BudgetExhausted:
            return ""
        except BackendError as error:
            self._state.notes.append(f"a second look at a reply failed: {error}")
            return ""
        asked.chain += completion.usage.output
        return completion.choices[0].text


def _user(text: str) -> Message:
    return {"role": "user", "content": text}


def _is_words(answer: str) -> bool:
    return len(answer) <= _SHORT and any(map(str.isalpha, answer)) and not any(map(str.isdigit, answer))
