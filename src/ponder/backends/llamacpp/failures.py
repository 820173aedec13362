"""What the runtime says when something is wrong, in words for a person."""

from __future__ import annotations

from ponder.core.errors import BrokenReply, Rejected

__all__ = ["raise_for", "too_long"]


def raise_for(reply: object) -> None:
    """Raise the error that a reply of the runtime tells of, if it does.

    Raises:
        Rejected: the call itself is wrong.
        BrokenReply: the runtime failed.
    """
    error = reply.get("error") if isinstance(reply, dict) else None
    if not isinstance(error, dict):
        return
    if error.get("type") == "exceed_context_size_error":
        raise Rejected(too_long(error.get("n_prompt_tokens", 0), error.get("n_ctx", 0)))
    message = " ".join(str(error.get("message", error)).split())
    if error.get("code") in (400, 404, 501):
        raise Rejected(f"the embedded model refused the call: {message}")
    raise BrokenReply(f"the embedded model failed: {message}")


def too_long(tokens: int, context: int) -> str:
    """What to say of a prompt that does not fit."""
    return (
        f"the prompt has {tokens:,} tokens and the model's context holds {context:,}; "
        "shorten it, or open the model with a larger context"
    )
