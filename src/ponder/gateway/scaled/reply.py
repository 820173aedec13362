"""From an answer with its bill to what the chat API returns."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ponder.core.answer import Answer
from ponder.core.bill import Bill
from ponder.core.branch import Branch
from ponder.core.errors import CallTimeout
from ponder.core.voting.typical import best_reply
from ponder.gateway.scaled.runs import Finished, Running

__all__ = ["Reply", "body_of", "headers_of", "is_empty", "reply_of", "summary_of", "usage_of"]


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply as a client sees it: the whole text of one branch, or its tool calls, and why it ended."""

    text: str
    thinking: str
    tool_calls: tuple[Mapping[str, Any], ...]
    finish: str

    def message(self) -> dict[str, Any]:
        """The message of a chat completion."""
        said: dict[str, Any] = {"role": "assistant", "content": self.text or (None if self.tool_calls else "")}
        if self.thinking:
            said["reasoning_content"] = self.thinking
        if self.tool_calls:
            said["tool_calls"] = [dict(call) for call in self.tool_calls]
        return said


def reply_of(answer: Answer) -> Reply:
    """The reply that gives the answer: what the branch said that won the vote, whole.

    Where no branch gave a final answer, as in a free conversation, it is the reply that shares most with the others;
    where none was complete, what there is of the longest.

    Raises:
        CallTimeout: there is nothing of any.
    """
    branch = _spokesman(answer)
    if branch is None:
        return Reply(answer.text, "", (), "stop" if answer.text else "length")
    if _is_silent(branch):
        raise CallTimeout("time was up before the model had said a word")
    return Reply(branch.text, branch.thinking, branch.tool_calls, _finish_of(branch))


def _finish_of(branch: Branch) -> str:
    if branch.ending == "stop":
        return "tool_calls" if branch.tool_calls else "stop"
    return "content_filter" if branch.ending == "content_filter" else "length"


def is_empty(answer: Answer) -> bool:
    """True if there is no reply in it: time was up too early."""
    branch = _spokesman(answer)
    return branch is not None and _is_silent(branch)


def _is_silent(branch: Branch) -> bool:
    return branch.ending == "budget" and not (branch.text or branch.thinking or branch.tool_calls)


def _spokesman(answer: Answer) -> Branch | None:
    branches = {branch.id: branch for branch in answer.branches}
    if answer.branch in branches:
        return branches[answer.branch]
    return None if answer.text else best_reply(answer.branches)


def usage_of(bill: Bill) -> dict[str, Any]:
    """The usage of all branches together, of chats, probes and verifiers too."""
    return {
        "prompt_tokens": bill.prompt_tokens,
        "completion_tokens": bill.total_tokens,
        "total_tokens": bill.prompt_tokens + bill.total_tokens,
        "prompt_tokens_details": {"cached_tokens": bill.cached_prompt_tokens},
        "completion_tokens_details": {"reasoning_tokens": bill.thinking_tokens},
    }


def summary_of(answer: Answer, running: Running | Finished) -> dict[str, Any]:
    """What there is to know of the run, in the field ``ponder`` of the reply."""
    return {
        "run": answer.run,
        "strategy": running.strategy,
        "value": answer.value,
        "unvoted": answer.unvoted,
        "confidence": answer.confidence,
        "stopped_because": answer.stopped_because,
        "votes": dict(answer.votes),
        "usd": answer.bill.usd,
        "seconds": answer.bill.seconds,
        "sequential_tokens": answer.bill.sequential_tokens,
        "overhead_ms": round(running.meter.overhead_ms, 3),
        "fallback": running.route.header,
        "notes": list(answer.notes),
    }


def headers_of(summary: Mapping[str, Any]) -> dict[str, str]:
    """The same in headers, as far as it fits there; what is not known is left out."""
    names = ("strategy", "confidence", "stopped_because", "overhead_ms", "usd", "run", "fallback")
    return {
        f"x-ponder-{name.replace('_', '-')}": _header(summary[name]) for name in names if summary.get(name) is not None
    }


def _header(value: object) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return " ".join(text.split()).encode("ascii", "replace").decode()


def body_of(answer: Answer, model: str, summary: Mapping[str, Any], *, chat: bool) -> dict[str, Any]:
    """The JSON of a completion, chat or text."""
    reply = reply_of(answer)
    said: dict[str, Any] = {"message": reply.message()} if chat else {"text": reply.text}
    return {
        "id": f"{'chatcmpl' if chat else 'cmpl'}-{answer.run}",
        "object": "chat.completion" if chat else "text_completion",
        "created": int(time.time()),
        "model": model,
        "choices": [{"index": 0, **said, "logprobs": None, "finish_reason": reply.finish}],
        "usage": usage_of(answer.bill),
        "ponder": dict(summary),
    }
