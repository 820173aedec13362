"""How much a model is to reason, in the words of each kind of server: one table.

A level is a wish, a number of tokens a limit. Where a server knows only one of the two, a level becomes the number of
tokens that Google's layer takes it for (low 1,024, medium 8,192, high 24,576; "OpenAI compatibility", ai.google.dev).
A number never becomes a level: it would be no limit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from ponder.core.backend import Request
from ponder.core.errors import InvalidOption
from ponder.core.settings import Thinking

__all__ = ["FIELDS", "LIMITING", "SPELLINGS", "Spelling", "reasoning"]

Spelling = Callable[[Thinking, int], dict[str, Any]]
"""The fields of a body for a level or a number of tokens, when a reply has so many tokens in all."""

_TOKENS: Mapping[str, int] = {
    "none": 0, "minimal": 512, "low": 1024, "medium": 8192, "high": 24_576, "xhigh": 32_768,
}  # fmt: skip

_ANTHROPIC_LEAST = 1024


def _effort(thinking: Thinking, limit: int) -> dict[str, Any]:
    """OpenAI's API reference, ``reasoning_effort``; Ollama takes the same field (docs.ollama.com, ollama#14820)."""
    return {"reasoning_effort": thinking}


def _openrouter(thinking: Thinking, limit: int) -> dict[str, Any]:
    """openrouter.ai/docs/use-cases/reasoning-tokens: an effort or a number of tokens, not both."""
    return {"reasoning": {"effort": thinking} if isinstance(thinking, str) else {"max_tokens": thinking}}


def _anthropic(thinking: Thinking, limit: int) -> dict[str, Any]:
    """platform.claude.com/docs/en/api/openai-sdk: ``thinking``; ``reasoning_effort`` is ignored there.

    The budget is at least 1,024 tokens and less than ``max_tokens``.
    """
    asked = _TOKENS[thinking] if isinstance(thinking, str) else thinking
    if asked == 0:
        return {"thinking": {"type": "disabled"}}
    tokens = asked if isinstance(thinking, int) else max(_ANTHROPIC_LEAST, min(asked, limit // 2))
    if not _ANTHROPIC_LEAST <= tokens < limit:
        raise InvalidOption(
            f"thinking={thinking} comes to {tokens:,} tokens here; Anthropic takes at least {_ANTHROPIC_LEAST:,}, and "
            f"fewer than max_tokens, which is {limit:,}: raise max_tokens"
        )
    return {"thinking": {"type": "enabled", "budget_tokens": tokens}}


def _gemini(thinking: Thinking, limit: int) -> dict[str, Any]:
    """ai.google.dev/gemini-api/docs/openai: ``reasoning_effort``, or a ``thinking_config`` in ``extra_body``."""
    if isinstance(thinking, str):
        return {"reasoning_effort": thinking}
    return {"extra_body": {"google": {"thinking_config": {"thinking_budget": thinking}}}}


def _deepseek(thinking: Thinking, limit: int) -> dict[str, Any]:
    """api-docs.deepseek.com/guides/thinking_mode: a switch, and an effort (medium is taken for high)."""
    if thinking == "none":
        return {"thinking": {"type": "disabled"}}
    return {"thinking": {"type": "enabled"}, "reasoning_effort": thinking}


def _qwen(thinking: Thinking, limit: int) -> dict[str, Any]:
    """Alibaba Model Studio, "Deep thinking": a switch, and a number of tokens."""
    tokens = _TOKENS[thinking] if isinstance(thinking, str) else thinking
    return {"enable_thinking": True, "thinking_budget": tokens} if tokens else {"enable_thinking": False}


def _template(thinking: Thinking) -> dict[str, Any]:
    """What chat templates of open models read: Qwen's a switch, gpt-oss's an effort. Others ignore both."""
    if thinking in ("none", 0):
        return {"enable_thinking": False}
    effort = {"reasoning_effort": thinking} if isinstance(thinking, str) else {}
    return {"enable_thinking": True, **effort}


def _vllm(thinking: Thinking, limit: int) -> dict[str, Any]:
    """docs.vllm.ai, "Reasoning outputs": the template's variables; ``thinking_token_budget`` is no part of them."""
    fields: dict[str, Any] = {"chat_template_kwargs": _template(thinking)}
    if isinstance(thinking, int):
        fields["thinking_token_budget"] = thinking
    return fields


def _sglang(thinking: Thinking, limit: int) -> dict[str, Any]:
    """docs.sglang.io/docs/advanced_features/thinking_budget: hints to the template.

    A number is a limit only on a server with a logit processor for it, which reads ``custom_params``.
    """
    template = _template(thinking)
    if isinstance(thinking, str):
        return {"chat_template_kwargs": template}
    budget = {"thinking_budget": thinking}
    return {"chat_template_kwargs": {**template, **budget}, "custom_params": budget}


def _llamacpp(thinking: Thinking, limit: int) -> dict[str, Any]:
    """llama.cpp, tools/server/README.md: the template's variables, and ``thinking_budget_tokens`` (PR 13771, 23673)."""
    fields: dict[str, Any] = {"chat_template_kwargs": _template(thinking)}
    if isinstance(thinking, int):
        fields["thinking_budget_tokens"] = thinking
    return fields


SPELLINGS: Mapping[str, Spelling] = MappingProxyType(
    {
        "unknown": _effort, "openai": _effort, "openrouter": _openrouter, "anthropic": _anthropic, "gemini": _gemini,
        "deepseek": _deepseek, "qwen": _qwen, "mistral": _effort, "vllm": _vllm, "sglang": _sglang,
        "llamacpp": _llamacpp, "ollama": _effort,
    }
)  # fmt: skip
"""By kind of server."""

LIMITING = frozenset(("openrouter", "anthropic", "gemini", "qwen", "vllm", "sglang", "llamacpp"))
"""The kinds that have a field for a number of tokens."""

FIELDS = frozenset(
    (
        "reasoning_effort", "reasoning", "thinking", "extra_body", "enable_thinking", "thinking_budget",
        "chat_template_kwargs", "thinking_token_budget", "thinking_budget_tokens", "custom_params",
    )
)  # fmt: skip
"""All fields that may come from this table."""


def reasoning(request: Request, kind: str) -> dict[str, Any]:
    """The fields for `request.thinking` at a server of this kind; a user's own fields of these names go before them.

    Raises:
        InvalidOption: the number is out of the server's range.
    """
    if request.thinking is None:
        return {}
    fields = SPELLINGS[kind](request.thinking, request.max_tokens)
    own = request.options.get("chat_template_kwargs")
    if isinstance(own, Mapping) and "chat_template_kwargs" in fields:
        fields["chat_template_kwargs"] |= own
    return fields
