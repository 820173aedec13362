"""The embedded model: llama.cpp in this process.

`LlamaCpp` is the backend; `serve` starts the runtime's own HTTP server, for programs that want to speak to one.
"""

from __future__ import annotations

from ponder.backends.llamacpp.backend import LlamaCpp
from ponder.backends.llamacpp.runtime import serve

__all__ = ["LlamaCpp", "serve"]
