"""What `ponder doctor` looks at. Each check yields what it found and, unless all is well, what to do."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Literal

__all__ = ["Finding", "machine", "program", "servers", "settings", "storage", "weights"]

PATIENCE = 10.0
"""Seconds that a server has to list its models."""

VENDOR = "the vendor's API"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    status: Literal["ok", "warn", "fail"]
    what: str
    text: str


def machine() -> Iterator[Finding]:
    """Cores and memory, as far as this process may use them."""
    from ponder.backends.weights import cards
    from ponder.backends.weights.progress import human
    from ponder.core.host.capacity import free_memory

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    yield Finding("ok", "cores", f"{cores} ({platform.machine()}, {platform.system()} {platform.release()})")
    free, default = free_memory(), cards()[0]
    # The weights, and about half as much again for what the branches keep.
    if free >= 1.5 * default.size:
        yield Finding("ok", "memory", f"{human(free)} free")
    else:
        need = human(int(1.5 * default.size))
        yield Finding(
            "warn", "memory", f"{human(free)} free, {default.name} wants {need}; -m {cards()[1].name} needs less"
        )


def program() -> Iterator[Finding]:
    """Python, Ponder and the runtime of the embedded models."""
    from ponder import __version__

    yield Finding("ok", "ponder", f"{__version__} on Python {platform.python_version()} ({sys.executable})")
    try:
        import xllamacpp
    except (ImportError, OSError) as error:
        yield Finding("warn", "runtime", f"no embedded models: {error}; pip install 'ponder[local]'")
    else:
        yield Finding("ok", "runtime", f"xllamacpp {xllamacpp.__version__}")


def settings() -> Iterator[Finding]:
    """The defaults of the commands that are set, and where."""
    from ponder.cli.settings.defaults import config_file, read_defaults
    from ponder.cli.settings.effective import BUILT_IN, effective
    from ponder.core.errors import PonderError

    try:
        found = [one for one in effective(read_defaults()) if one.source != BUILT_IN]
    except PonderError as error:
        yield Finding("fail", "defaults", str(error))
        return
    if not found:
        there = "sets nothing" if config_file().exists() else "is not there"
        yield Finding("ok", "defaults", f"as built in: {config_file()} {there}")
    for one in found:
        if one.wrong is None:
            yield Finding("ok", "defaults", f"{one.name} = {one.value}, from {one.source}")
        else:
            yield Finding("fail", "defaults", f"{one.name} = {one.value}, from {one.source}: {one.wrong}")


def storage() -> Iterator[Finding]:
    """Where weights and runs are kept."""
    from ponder.backends.weights import cache_dir, cached, cards
    from ponder.backends.weights.progress import human
    from ponder.core.errors import PonderError
    from ponder.store.opening import open_store

    cache = cache_dir()
    place = next(folder for folder in (cache, *cache.parents) if folder.exists())
    free = shutil.disk_usage(place).free
    need = 0 if cached(cards()[0]) else cards()[0].size
    if not (place.is_dir() and os.access(place, os.W_OK)):
        yield Finding("fail", "cache", f"{cache} cannot be written; set PONDER_CACHE to a folder that can")
    elif free < need:
        yield Finding("fail", "cache", f"{cache}: {human(free)} free, {human(need)} needed; set PONDER_CACHE elsewhere")
    else:
        yield Finding("ok", "cache", f"{cache} ({human(free)} free)")
    try:
        with closing(open_store()) as store:
            store.check()
        yield Finding("ok", "runs", store.place)
    except PonderError as error:
        yield Finding("fail", "runs", str(error))


def weights() -> Iterator[Finding]:
    """The model files, read and compared with their sha256."""
    from ponder.backends.weights import cached, cards, verify
    from ponder.backends.weights.progress import human
    from ponder.core.errors import WeightsError

    for card in cards():
        if cached(card) is None:
            yield Finding("ok", "weights", f"{card.name}: not here, fetched on first use ({human(card.size)})")
            continue
        try:
            verify(card)
        except WeightsError as error:
            yield Finding("fail", "weights", str(error))
        else:
            yield Finding("ok", "weights", f"{card.name}: here, sha256 is right ({human(card.size)})")


def servers(specs: tuple[str, ...]) -> Iterator[Finding]:
    """The key's presence, and whether each server answers."""
    key = "is set" if os.environ.get("OPENAI_API_KEY") else "is not set; only servers that want a key need it"
    yield Finding("ok", "key", f"OPENAI_API_KEY {key}")
    if os.environ.get("OPENAI_BASE_URL"):
        yield _server("openai/any", any_model=True)
    for spec in specs:
        yield _server(spec, any_model=False)


def _server(spec: str, any_model: bool) -> Finding:
    import anyio

    from ponder.backends.openai import OpenAI
    from ponder.core.errors import PonderError

    async def ask() -> list[str]:
        try:
            with anyio.fail_after(PATIENCE):
                return await backend.models()
        finally:
            await backend.aclose()

    try:
        backend = OpenAI.open(spec)
        # The name, unlike the spec, holds no password.
        url = backend.name.partition("@")[2] or VENDOR
        known = anyio.run(ask)
    except PonderError as error:
        return Finding("fail", "server", str(error))
    except TimeoutError:
        return Finding("fail", "server", f"{url} does not answer within {PATIENCE:g} s; is it running?")
    if known and not any_model and backend.model not in known:
        return Finding("fail", "server", f"{url} has no model {backend.model!r}; it has {', '.join(known[:8])}")
    return Finding("ok", "server", f"{url} answers{': ' + ', '.join(known[:8]) if known else ''}")
