"""Models behind one seam. `connect` turns what a user writes into a backend."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ponder.core.backend import Backend
from ponder.core.errors import InvalidOption

if TYPE_CHECKING:
    from ponder.backends.weights import FetchProgress

__all__ = ["DEFAULT_MODEL", "connect"]

DEFAULT_MODEL = "local/qwen2.5-coder-1.5b"


def connect(spec: str, show: FetchProgress | None = None) -> Backend:
    """The backend for a model spec.

    ``local/NAME`` or ``local/PATH.gguf`` runs in this process; ``openai/MODEL`` is the vendor's API;
    ``MODEL@http://host:port/v1`` any server that speaks the same wire, and ``text/MODEL@http://host:port/v1`` its text
    completions, for models without a chat template. `show` is told how a fetch of weights goes on.

    Raises:
        UsageError: no such model, or a malformed spec.
        WeightsError: the weights cannot be had, or are none.
    """
    if "@http" in spec or spec.startswith("openai/") or (spec.startswith("text/") and not spec.endswith(".gguf")):
        from ponder.backends.openai import OpenAI

        return OpenAI.open(spec)
    if spec.startswith("local/") or spec.endswith(".gguf"):
        from ponder.backends.llamacpp import LlamaCpp

        return LlamaCpp.open(spec, show)
    raise InvalidOption(
        f"model {spec!r} is none of local/NAME, local/PATH.gguf, openai/MODEL, MODEL@http://host:port/v1, "
        "text/MODEL@http://host:port/v1; `ponder models` lists the local ones"
    )
