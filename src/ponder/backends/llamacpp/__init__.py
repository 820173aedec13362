"""llama.cpp inside this process: real text with no server, no key and no hub."""

from __future__ import annotations

from ponder.backends.llamacpp.backend import LlamaCpp
from ponder.backends.llamacpp.runtime import Runtime, serve

__all__ = ["LlamaCpp", "Runtime", "serve"]
