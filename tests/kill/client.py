"""A process that begins a run, or goes on with one."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from multiprocessing.connection import Connection
from pathlib import Path

import ponder.verifiers  # noqa: F401 - loaded on first use, which would come after the fork
from ponder.api import OnStart, aresume, asolve
from ponder.backends.openai import OpenAI
from ponder.core.backend import Capability
from ponder.engine.live.driver import Live
from ponder.engine.methods import parse_spec
from ponder.store.sqlite import Store
from tests.kill.programs import LENGTH
from tests.kill.server import SEED

__all__ = ["QUESTION", "said", "work"]

QUESTION = "What is 17 * 23?"


def work(
    url: str, name: str, capabilities: Iterable[Capability], spec: str, path: Path, started: Connection | None = None
) -> None:
    """Begin the run with strategy `spec`, or if the store has one already, go on with it; says so when it starts.

    What goes wrong is written beside the store, where `said` finds it.
    """
    os.dup2(os.open(_errors(path), os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)

    def on_start(live: Live, run: str | None) -> None:
        if started is not None:
            started.send(run)

    asyncio.run(_work(OpenAI(url, name, server="vllm", capabilities=capabilities), spec, Store(path), on_start))


def said(path: Path) -> str:
    """What the processes of the run at `path` wrote to standard error."""
    return _errors(path).read_text(errors="replace") if _errors(path).exists() else ""


def _errors(path: Path) -> Path:
    return path.with_name("errors.txt")


async def _work(backend: OpenAI, spec: str, store: Store, on_start: OnStart) -> None:
    try:
        if store.runs():
            await aresume("last", store, backend=backend, on_start=on_start)
        else:
            # A verifier that has a name in Ponder, so that the run can be resumed from the store alone.
            verifier = f"{LENGTH.__module__}:LENGTH" if parse_spec(spec).needs_verifier else None
            await asolve(
                QUESTION, strategy=spec, model=backend, seed=SEED, max_tokens=40, store=store, verifier=verifier,
                on_start=on_start,
            )  # fmt: skip
    finally:
        await backend.aclose()
        store.close()
