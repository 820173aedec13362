"""The runtime: one loaded model with its slots, and the few things that are asked of it."""

from __future__ import annotations

import json
import os
import secrets
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from ponder.core.errors import Rejected, WeightsError
from ponder.core.problem import Message

__all__ = ["Runtime", "new_key", "serve"]

SPIN = "3000"


class Runtime:
    """A model loaded by llama.cpp, which works on up to `slots` texts at a time.

    The slots share one KV cache of `context` tokens. `threads` defaults to the cores that this process may use. The
    runtime's own HTTP server listens on loopback, under a key that only this object knows, because rendering a chat
    and counting tokens are offered nowhere else.

    Between two pieces of work its OpenMP threads spin for a moment. ``GOMP_SPINCOUNT`` is set to 3000 unless the user
    has set it or ``OMP_WAIT_POLICY``: more spinning costs a factor of ten as soon as anything else runs on the
    machine. On a shared machine set ``OMP_WAIT_POLICY=PASSIVE``.

    Raises:
        WeightsError: the file cannot be loaded.
    """

    def __init__(
        self, path: Path, *, context: int, slots: int, threads: int | None = None, key: str | None = None
    ) -> None:
        if "OMP_WAIT_POLICY" not in os.environ:
            os.environ.setdefault("GOMP_SPINCOUNT", SPIN)
        import xllamacpp  # only now: it reads the environment when it is loaded

        self.context, self.slots = context, slots
        self._key = key
        parameters = xllamacpp.CommonParams()
        parameters.model.path = str(path)
        parameters.n_ctx = context
        parameters.n_parallel = slots
        parameters.kv_unified = True
        parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = threads or _cores()
        parameters.verbosity = -1
        parameters.ui = False
        parameters.warmup = False
        parameters.endpoint_slots = False
        if key is not None:
            parameters.api_keys = [key]
        try:
            self._server = xllamacpp.Server(parameters)
        except RuntimeError as error:
            raise WeightsError(f"llama.cpp cannot load {path}: {error}; is it a whole GGUF file?") from None
        self.url: str = self._server.listening_address
        self._render = lru_cache(maxsize=256)(self._ask_for_rendering)

    def render(self, messages: Sequence[Message]) -> tuple[str, int]:
        """The prompt that the model's chat template makes of `messages`, and its length in tokens.

        Raises:
            Rejected: the template refuses them.
        """
        return self._render(json.dumps([dict(message) for message in messages]))

    def count(self, text: str) -> int:
        """How many tokens `text` has."""
        asked = {"content": text, "add_special": True, "parse_special": True}
        return len(self._post("/tokenize", asked)["tokens"])

    def complete(self, body: Mapping[str, Any], receive: Callable[[bytes], bool]) -> None:
        """Stream a text completion: `receive` gets each piece of JSON and returns True to stop. Blocks meanwhile."""
        self._server.handle_completions(json.dumps(body).encode(), receive)

    def _ask_for_rendering(self, messages: str) -> tuple[str, int]:
        prompt: str = self._post("/apply-template", {"messages": json.loads(messages)})["prompt"]
        return prompt, self.count(prompt)

    def _post(self, path: str, body: Mapping[str, Any]) -> Any:
        request = urllib.request.Request(
            self.url + path,
            json.dumps(body).encode(),
            {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"},
        )
        try:
            # Not through a proxy that the environment may name: this never leaves the machine.
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as reply:
                return json.load(reply)
        except urllib.error.HTTPError as error:
            raise Rejected(f"the chat template refuses the messages: {error.read()[:200].decode()}") from None


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def new_key() -> str:
    """A key for the runtime's own server."""
    return secrets.token_hex(16)


@contextmanager
def serve(path: Path, *, context: int = 8192, slots: int = 8) -> Iterator[str]:
    """The runtime's own HTTP server over the file at `path`, on loopback and without a key; yields its base URL."""
    runtime = Runtime(path, context=context, slots=slots)
    yield f"{runtime.url}/v1"
    del runtime
