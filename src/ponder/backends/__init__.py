"""Models behind one seam. `connect` turns what a user writes into a backend."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ponder.core.backend import Backend
from ponder.core.errors import InvalidOption

if TYPE_CHECKING:
    from ponder.backends.weights import FetchProgress

__all__ = ["DEFAULT_MODEL", "check_spec", "connect"]

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
    if _at_a_server(spec):
        from ponder.backends.openai import OpenAI

        return OpenAI.open(spec)
    if _in_this_process(spec):
        from ponder.backends.llamacpp import LlamaCpp

        return LlamaCpp.open(spec, show)
    raise _unknown(spec)


def check_spec(spec: str) -> None:
    """See that `connect` can read a model spec; nothing is fetched, loaded or asked.

    Raises:
        UsageError: no such model, or a malformed spec.
        WeightsError: the file is no model.
    """
    if _at_a_server(spec):
        connect(spec)
    elif _in_this_process(spec):
        from ponder.backends.weights import locate

        locate(spec)
    else:
        raise _unknown(spec)


def _at_a_server(spec: str) -> bool:
    return "@http" in spec or spec.startswith("openai/") or (spec.startswith("text/") and not spec.endswith(".gguf"))


def _in_this_process(spec: str) -> bool:
    return spec.startswith("local/") or spec.endswith(".gguf")


def _unknown(spec: str) -> InvalidOption:
    return InvalidOption(
        f"model {spec!r} is none of local/NAME, local/PATH.gguf, openai/MODEL, MODEL@http://host:port/v1, "
        "text/MODEL@http://host:port/v1; `ponder models` lists the local ones"
    )
