"""llama.cpp in this process."""

from __future__ import annotations

import http.client
import json
import os
import secrets
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread

from ponder.backends.llamacpp.failures import raise_for
from ponder.backends.llamacpp.flight import Flight, Take
from ponder.core.errors import BrokenReply, WeightsError
from ponder.core.host.capacity import cores, free_memory

__all__ = ["Runtime", "serve"]

_SPIN_COUNT = "3000"
_BATCH = 64
_SPILL_BYTES = 2**30
_MIB = 2**20

_encode = json.JSONEncoder(default=dict, check_circular=False).encode


class Runtime:
    """One loaded model.

    `context` is the tokens of attention state that all sequences share, `slots` how many sequences are decoded
    together. `threads` of None takes every physical core. The HTTP side listens on this machine only, and if `private`
    to this object only.

    Raises:
        WeightsError: the file cannot be loaded.
    """

    def __init__(
        self, path: Path, *, context: int, slots: int, threads: int | None = None, private: bool = True
    ) -> None:
        self._key = secrets.token_urlsafe(32) if private else ""
        params = _params(path, context, slots, threads or cores())
        if private:
            params.api_keys = [self._key]
            params.n_threads_http = 2
        try:
            server = _library().Server(params)
        except RuntimeError:
            raise WeightsError(
                f"the runtime cannot load {path}: the file is damaged, or of a kind that it does not know, or too "
                f"large for the free memory ({free_memory() / 1e9:.1f} GB)"
            ) from None
        self.address: str = server.listening_address
        # To close waits for the end of the runtime's main loop, for ever if that has not begun. An answer proves it.
        server.handle_completions(_encode({"prompt": [0], "max_tokens": 1, "stream": True}).encode(), lambda _: False)
        self._server = [server]
        self._flights: set[Flight] = set()
        # At the latest when the interpreter ends: the library's threads must not outlive it.
        self.close = weakref.finalize(self, self._server.clear)

    @property
    def closed(self) -> bool:
        """True once it was closed."""
        return not self._server

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """What only the HTTP side offers: ``/apply-template``, ``/tokenize``. Blocks for a millisecond.

        Raises:
            BackendError: it refused.
        """
        connection = http.client.HTTPConnection(self.address.removeprefix("http://"), timeout=60)
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self._key}"}
        try:
            connection.request("POST", path, _encode(body).encode(), headers)
            reply = json.loads(connection.getresponse().read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise BrokenReply(f"the embedded model does not answer {path}: {error}") from error
        finally:
            connection.close()
        raise_for(reply)
        return reply

    async def stream(self, body: Mapping[str, Any], take: Take) -> None:
        """Complete a prompt; `take` gets each chunk in the event loop.

        When it is cancelled, or `take` raises, the runtime stops at the next token, and what it had produced by then
        still goes to `take`.

        Raises:
            BackendError: the runtime refused or failed, or was closed meanwhile.
        """
        flight = Flight(self._server[0], _encode(body).encode(), take)
        self._flights.add(flight)
        try:
            await flight.run()
        finally:
            self._flights.discard(flight)

    async def aclose(self) -> None:
        """Stop what runs and free the model. Safe to call twice."""
        flights = list(self._flights)
        for flight in flights:
            flight.stop()
        with anyio.CancelScope(shield=True):
            for flight in flights:
                await flight.landed.wait()
            await anyio.to_thread.run_sync(self.close)


def _library() -> Any:
    """The library. Its OpenMP threads spin while they wait for each other.

    Spinning for long, as is the default, costs a factor of ten when other processes want the cores; spinning for a
    moment costs an idle machine nothing. Whoever sets ``GOMP_SPINCOUNT`` or ``OMP_WAIT_POLICY`` has the last word.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", _SPIN_COUNT)
    try:
        import xllamacpp
    except ImportError as error:
        raise WeightsError(f"an embedded model needs the runtime: pip install 'ponder[local]' ({error})") from error
    return xllamacpp


def _params(path: Path, context: int, slots: int, threads: int) -> Any:
    params = _library().CommonParams()
    params.model.path = str(path)
    params.n_ctx = context
    params.n_parallel = slots
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    # One pool for all sequences: a prompt is held once for all its samples, and a step is one batch whichever
    # sequences take part. With a pool for each, the batch falls apart at every gap in their numbers.
    params.kv_unified = True
    # A branch that rests has its state in main memory: in the pool everybody's attention would pass over it.
    params.cache_ram_mib = min(_SPILL_BYTES, free_memory() // 8) // _MIB
    params.cache_idle_slots = True
    # A call can be cancelled between two batches of its prompt, but not within one; larger ones are no faster here.
    params.n_batch = params.n_ubatch = max(_BATCH, slots)
    params.verbosity = -1
    params.warmup = params.ui = False
    params.cors_origins = ""
    params.endpoint_props = True
    return params


@contextmanager
def serve(path: Path, *, context: int = 8192, slots: int = 4) -> Iterator[str]:
    """Run the runtime's own HTTP server for the model at `path`; gives its base URL, ``http://127.0.0.1:PORT/v1``.

    It listens on this machine only and asks for no key.

    Raises:
        WeightsError: the file cannot be loaded.
    """
    runtime = Runtime(path, context=context, slots=slots, private=False)
    try:
        yield f"{runtime.address}/v1"
    finally:
        runtime.close()
