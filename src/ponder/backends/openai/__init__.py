"""Models behind the chat completions API, or the text completions API."""

from __future__ import annotations

from ponder.backends.openai.backend import OpenAI

__all__ = ["OpenAI"]
