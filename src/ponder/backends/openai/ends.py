"""How a choice ended, in the words of some twenty servers: one table."""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import Literal

__all__ = ["End", "end_of"]

End = Literal["stop", "length", "content_filter", "failed"]
"""By itself; at a limit; cut by a filter; for want of something at the server."""

_WORDS: dict[End, str] = {
    "stop": """
        stop end_turn eos eos_token eos_id stop_sequence stop_token end complete completed done finished success
        tool_calls tool_call tool_use tool function_call function pause_turn finish_reason_stop
    """,
    "length": """
        length max_tokens max_output_tokens max_completion_tokens max_new_tokens model_length token_limit context_length
        context_length_exceeded model_context_window_exceeded context_window_exceeded repetition repetition_truncation
        incomplete finish_reason_max_tokens
    """,
    "content_filter": """
        content_filter content_filtered safety recitation refusal blocklist prohibited_content spii image_safety
        language sensitive guardrail_intervened guardrails moderation
    """,
    "failed": """
        error failed insufficient_system_resource network_error abort aborted cancel cancelled canceled interrupted
        timeout internal_error server_error malformed_function_call unexpected_tool_call other unknown overloaded
    """,
}
_ENDS: dict[str, End] = {word: end for end, words in _WORDS.items() for word in words.split()}

_log = logging.getLogger(__name__)


def end_of(said: str) -> End:
    """What a server's word for the end means; of an unknown one nobody knows that the model meant to stop there."""
    word = said.strip().casefold().replace("-", "_").replace(" ", "_")
    found = _ENDS.get(word)
    if found is None:
        _warn(said[:40])
        return "length"
    return found


@lru_cache(maxsize=64)
def _warn(said: str) -> None:
    _log.warning("a reply ended with %r, which is not known; it counts as cut off", said)
