"""What a call may cost at most, and what an unfinished one has cost."""

from __future__ import annotations

from ponder.core.backend import Price, Progress, Request
from ponder.core.budget import Amount
from ponder.core.ledger import Charge, Purpose

__all__ = ["most", "spent"]


def most(request: Request, price: Price | None) -> Amount:
    """The most that one attempt at `request` can cost.

    No tokenizer makes more tokens than the text has bytes; the constant covers what a chat template adds to a message.
    """
    tokens = request.n * request.max_tokens
    if price is None:
        return Amount(tokens=tokens, calls=1)
    prompt = sum(len(str(message.get("content", "")).encode()) + 64 for message in request.messages)
    return Amount(tokens, 1, price.cost(prompt + len(request.prefix.encode()), 0, tokens))


def spent(purpose: Purpose, progress: Progress, retries: int, failures: int = 0) -> Charge:
    """What a call that was not completed had cost so far.

    The text of a branch that is cut stays with the branch; anything else is thrown away.
    """
    output = sum(progress.tokens)
    kept = purpose == "branch" and not failures
    return Charge(
        purpose=purpose, prompt=progress.prompt_tokens, cached=progress.cached_tokens, output=output,
        discarded=0 if kept else output, calls=1, retries=retries, failures=failures,
    )  # fmt: skip
