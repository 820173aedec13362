"""Which server answers at an address."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from ponder.backends.openai.servers import LLAMACPP, OLLAMA, SGLANG, UNKNOWN, VLLM, Server

__all__ = ["Look", "detect", "model_names"]

Look = Callable[[str], Awaitable[object]]
"""GET a path at the server's root; gives the JSON there, or None if there is none."""

_OWNERS: Mapping[str, Server] = {"vllm": VLLM, "sglang": SGLANG, "llamacpp": LLAMACPP}


async def detect(models: object, look: Look) -> tuple[Server, int | None]:
    """The server's kind, and how many choices one call may have (None: no limit is known).

    vLLM, SGLang and llama.cpp sign their list of models, in ``owned_by``; Ollama answers at ``/api/version``;
    llama.cpp counts its slots in ``/props``. Anything else is `UNKNOWN`.
    """
    for entry in _entries(models):
        server = _OWNERS.get(str(entry.get("owned_by")))
        if server is not None:
            return server, await _slots(look) if server is LLAMACPP else None
    version = await look("/api/version")
    is_ollama = isinstance(version, dict) and set(version) == {"version"}
    return (OLLAMA if is_ollama else UNKNOWN), None


async def _slots(look: Look) -> int | None:
    properties = await look("/props")
    slots = properties.get("total_slots") if isinstance(properties, dict) else None
    return slots if isinstance(slots, int) and slots > 0 else None


def model_names(models: object) -> list[str]:
    """The names in the server's list of models."""
    return [str(entry["id"]) for entry in _entries(models) if "id" in entry]


def _entries(models: object) -> list[Mapping[str, object]]:
    data = models.get("data") if isinstance(models, dict) else None
    return [entry for entry in data if isinstance(entry, dict)] if isinstance(data, list) else []
