"""Steps of reasoning: where one ends, and how a branch gets beyond it.

A server takes the blank line that ended a step off the text. It is put back, or the model would write it again and
stop at once. Two kinds of server need more than that. Some chat templates trim the text that is to be continued, so
that the model writes the blank line again all the same; some servers do not say whether a blank line or the model
itself ended the text. In both cases nothing comes of the next call, and a few tokens without a stop string show how
it goes on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ponder.core.branch import Branch
from ponder.core.completion import Choice

__all__ = ["STEP", "Leg", "growth", "next_leg", "so_far"]

STEP = "\n\n"
"""Where a reasoning step ends (Beeching et al. 2024, search-and-learn)."""

_GLANCE = 4
"""Tokens that show how a text goes on."""

_MOST = 12
"""Calls for one step: a model that writes nothing but blank lines gets no more at a time."""


@dataclass(frozen=True, slots=True)
class Leg:
    """The part of an extension that one call makes: the `number`-th; at most `tokens`, up to a `stop` string."""

    number: int = 0
    tokens: int | None = None
    stop: tuple[str, ...] = ()

    def part(self, branch: Branch) -> str:
        """The name of its call in the journal."""
        return f"{branch.id}+{self.number}" if self.number else branch.id


def so_far(branch: Branch) -> str:
    """The assistant's raw text up to here, with the reasoning in the tags that open models use."""
    if not branch.thinking:
        return branch.text
    return f"<think>{branch.thinking}" + (f"</think>{branch.text}" if branch.text else "")


def growth(branch: Branch, choice: Choice, leg: Leg) -> Choice:
    """What `branch` grows by: the choice with the blank line that ended it, or cut where a step has ended in it."""
    if leg.tokens is not None:
        return _cut(choice)
    if not (leg.stop and (choice.finish == "boundary" or choice.unsure)):
        return choice
    if _is_blank(choice) and so_far(branch).endswith(STEP) and not choice.thinking_closed:
        return replace(choice, finish="boundary")
    thinks = bool(choice.thinking or branch.thinking) and not (choice.text or branch.text or choice.thinking_closed)
    if thinks:
        return replace(choice, finish="boundary", thinking=choice.thinking + STEP)
    return replace(choice, finish="boundary", text=choice.text + STEP)


def _cut(choice: Choice) -> Choice:
    """A glance, without what it shows of the step after this one."""
    part = "text" if choice.text.strip() else "thinking"
    said: str = getattr(choice, part)
    end = said.find(STEP, len(said) - len(said.lstrip()))
    if end < 0 or end + len(STEP) == len(said):
        return choice
    kept = said[: end + len(STEP)]
    tokens = -(-choice.tokens * len(kept) // len(said))
    cut = replace(choice, tokens=tokens, finish="boundary", thinking_tokens=min(tokens, choice.thinking_tokens))
    return replace(cut, text=kept) if part == "text" else replace(cut, thinking=kept)


def next_leg(leg: Leg, before: Branch, choice: Choice) -> Leg | None:
    """What is still to be done for the step after `choice` came, `before` it; None if it has ended, or cannot go on."""
    number = leg.number + 1
    if number == _MOST:
        return None
    if not leg.stop:
        said = (choice.thinking + choice.text).lstrip()
        return None if STEP in said else Leg(number, stop=(STEP,))
    at_its_end = choice.finish == "boundary" or choice.unsure
    if not (at_its_end and _is_blank(choice)):
        return None
    return Leg(number, tokens=_GLANCE) if so_far(before).endswith(STEP) else Leg(number, stop=(STEP,))


def _is_blank(choice: Choice) -> bool:
    return not (choice.text.strip() or choice.thinking.strip())
