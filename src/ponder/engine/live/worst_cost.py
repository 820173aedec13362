"""What a call may cost at most, and what an unfinished one has cost."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ponder.core.backend import Progress, Request
from ponder.core.bill import Price
from ponder.core.budget import Amount
from ponder.core.errors import PartlyFailed
from ponder.core.ledger import Charge

__all__ = ["PART", "most", "spent", "spent_in_part"]

PART = 16_384
"""Tokens that an image, or another part of a message that is no text, may come to."""


def most(request: Request, price: Price | None) -> Amount:
    """The most that one attempt at `request` can cost.

    No tokenizer makes more tokens than the text has bytes; the constant covers what a chat template adds to a message.
    """
    tokens = request.n * request.max_tokens
    if price is None:
        return Amount(tokens=tokens, calls=1)
    prompt = sum(map(_most_of_message, request.messages)) + len(request.prefix.encode())
    if request.options:
        prompt += len(json.dumps(request.options, default=str))  # tools and schemas are read, too
    return Amount(tokens, 1, price.cost(prompt, 0, tokens))


def _most_of_message(message: Mapping[str, Any]) -> int:
    content = message.get("content", "")
    if not isinstance(content, list):
        said = len(str(content).encode()) + 64
    else:
        texts = [part.get("text") if isinstance(part, Mapping) else None for part in content]
        said = 64 + sum(len(text.encode()) + 8 if isinstance(text, str) else PART for text in texts)
    calls = message.get("tool_calls")
    return said + len(json.dumps(calls, default=str)) if calls else said


def spent(purpose: str, model: str, progress: Progress, retries: int, failures: int = 0) -> Charge:
    """What a call that was not completed had cost so far.

    The text of a branch that is cut stays with the branch; anything else is thrown away.
    """
    output = sum(progress.tokens)
    kept = purpose == "branch" and not failures
    return Charge(
        purpose=purpose, model=model, prompt=progress.prompt_tokens, cached=progress.cached_tokens, output=output,
        discarded=0 if kept else output, calls=1 + progress.more, retries=retries + progress.refused,
        failures=failures + progress.refused, estimated=progress.estimated,
    )  # fmt: skip


def spent_in_part(purpose: str, model: str, failure: PartlyFailed, progress: Progress, retries: int) -> Charge:
    """What a call has cost of whose choices some failed: what those had produced is thrown away."""
    if failure.usage is None:
        return spent(purpose, model, progress, retries, failures=1)
    good, usage = failure.choices.values(), failure.usage
    return Charge(
        purpose=purpose, model=model, prompt=usage.prompt, cached=usage.cached, output=usage.output,
        thinking=sum(choice.thinking_tokens for choice in good),
        discarded=max(0, usage.output - sum(choice.tokens for choice in good)),
        calls=1 + progress.more, retries=retries + progress.refused, failures=1 + progress.refused,
        estimated=usage.estimated,
    )  # fmt: skip
