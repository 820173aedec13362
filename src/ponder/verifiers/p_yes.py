"""The model judges its own solutions: the probability that it answers Yes."""

from __future__ import annotations

import math
from collections.abc import Mapping

from ponder.core.backend import Capability, Message, Request
from ponder.core.branch import Branch
from ponder.core.completion import Choice
from ponder.core.errors import InvalidOption
from ponder.core.problem import Ask, Problem
from ponder.verifiers.stated import stated

__all__ = ["MAX_RATIONALES", "PYes", "p_yes"]

MAX_RATIONALES = 64

_VERDICT = "Is the answer {answer} correct (Yes/No)? Reply with one word, Yes or No."
_RATIONALE = "Check this solution step by step. Point out the first mistake, if there is one."
_RATIONALE_TOKENS = 512
_ALTERNATIVES = 20


class PYes:
    """Generative verifier: p(Yes) / (p(Yes) + p(No)) for the first token of the model's verdict.

    With ``k > 0`` the model first writes `k` checks of the solution, and the score is the mean over the verdicts that
    follow them (GenRM and GenRM-CoT, Zhang et al. 2024, arXiv 2408.15240). Where the model says neither Yes nor No
    the score is 0.5. One call for k = 0, otherwise one for all `k` checks and one for each verdict.

    The verdict is asked for as the next turn of the conversation that the branch is: a server that keeps prompts has
    the question and the solution already, and reads a line.

    Raises:
        InvalidOption: `k` is not between 0 and `MAX_RATIONALES`.
    """

    def __init__(self, k: int = 0) -> None:
        if not 0 <= k <= MAX_RATIONALES:
            raise InvalidOption(f"p-yes: k={k} must lie between 0 and {MAX_RATIONALES}")
        self.name = f"p-yes(k={k})" if k else "p-yes"
        self.needs = frozenset({Capability.LOGPROBS} | ({Capability.N} if k > 1 else set()))
        self._k = k

    async def score(self, problem: Problem, branch: Branch, ask: Ask) -> float:
        """The model's probability, 0 to 1, that the branch's answer is right."""
        answer = stated(branch)
        if answer is None:
            return 0.0
        solved = (*problem.messages, {"role": "assistant", "content": branch.text})
        question = _user(_VERDICT.format(answer=answer))
        if self._k == 0:
            return await _verdict(ask, (*solved, question))
        task = (*solved, _user(_RATIONALE))
        checks = await ask(Request(messages=task, n=self._k, max_tokens=_RATIONALE_TOKENS, temperature=0.7))
        verdicts = [
            await _verdict(ask, (*task, {"role": "assistant", "content": check.text}, question))
            for check in checks.choices
        ]
        return math.fsum(verdicts) / len(verdicts)


def p_yes(choice: Choice) -> float:
    """p(Yes) / (p(Yes) + p(No)) from the first token's alternatives, whatever their case and leading space."""
    yes, no = (_mass(choice.first, word) for word in ("yes", "no"))
    return yes / (yes + no) if yes + no > 0 else 0.5


async def _verdict(ask: Ask, messages: tuple[Message, ...]) -> float:
    request = Request(messages=messages, max_tokens=1, temperature=0.0, top_p=1.0, logprobs=_ALTERNATIVES)
    return p_yes((await ask(request)).choices[0])


def _mass(first: Mapping[str, float], word: str) -> float:
    return math.fsum(math.exp(logprob) for token, logprob in first.items() if token.strip().casefold() == word)


def _user(text: str) -> Message:
    return {"role": "user", "content": text}
