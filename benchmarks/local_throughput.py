"""How fast the embedded model makes tokens: samples in one batch, one after the other, and by the bare runtime.

    python benchmarks/local_throughput.py                                   # 0.5B model, three to four minutes
    python benchmarks/local_throughput.py --model local/qwen2.5-coder-1.5b  # three times that
    python benchmarks/local_throughput.py --json figures.json

For each n, three ways take turns: Ponder asks for n samples in one request; it asks for them one after the other (for
at most four, since the rate of that does not depend on n); and xllamacpp alone, in a server of its own with as many
slots and as much context but otherwise its own settings, is asked for n in one call and not streamed. All sample 24
tokens from one prompt, which is in the cache, at the same temperature and top_p. Figures are medians over the turns;
the ratios are medians of the ratios within a turn.

On a machine that is busy with something else the wall times of one turn differ for no reason of ours; tokens for each
second of CPU time are shown beside them, and the load at the start and the end is printed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median
from typing import Any

from ponder.backends.llamacpp import LlamaCpp
from ponder.backends.weights import resolve, terminal_progress
from ponder.core.backend import Progress, Request
from ponder.core.host.capacity import cores

__all__: list[str] = []

MODEL = "local/qwen2.5-coder-0.5b"
QUESTION = "Write a long story about a lighthouse keeper who finds a letter in a bottle."
WIDTHS = (1, 4, 8, 16, 32)
SLOTS, CONTEXT = 32, 32 * 1024
TEMPERATURE, TOP_P = 0.7, 0.95
SEQUENTIAL = 4

Arm = Callable[[int, int], Awaitable[int]]
"""Makes n samples with a seed, and returns how many tokens they have."""


class Ponder:
    """The backend: in one request, or one after the other."""

    def __init__(self, path: Path, tokens: int) -> None:
        self._model = LlamaCpp(MODEL, path, context=CONTEXT, slots=SLOTS)
        self._tokens = tokens

    async def batch(self, n: int, seed: int) -> int:
        """All in one request."""
        request = Request(
            messages=({"role": "user", "content": QUESTION},),
            n=n,
            max_tokens=self._tokens,
            temperature=TEMPERATURE,
            top_p=TOP_P,
            seed=seed,
            stream=True,
        )
        return (await self._model.generate(request, Progress())).usage.output

    async def sequential(self, n: int, seed: int) -> int:
        """At most `SEQUENTIAL` requests, one after the other."""
        return sum([await self.batch(1, seed + at) for at in range(min(n, SEQUENTIAL))])

    async def aclose(self) -> None:
        """Free the model."""
        await self._model.aclose()


class Bare:
    """xllamacpp, asked directly."""

    def __init__(self, path: Path, tokens: int) -> None:
        import xllamacpp

        parameters = xllamacpp.CommonParams()
        parameters.model.path = str(path)
        parameters.n_parallel, parameters.n_ctx = SLOTS, CONTEXT
        parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = cores()
        parameters.verbosity = -1
        self._server = xllamacpp.Server(parameters)
        self._tokens = tokens

    async def batch(self, n: int, seed: int) -> int:
        """All in one call; it blocks, and nothing else is to run."""
        body = {
            "messages": [{"role": "user", "content": QUESTION}],
            "n": n,
            "max_tokens": self._tokens,
            "temperature": TEMPERATURE,
            "top_p": TOP_P,
            "seed": seed,
            "ignore_eos": True,  # with n > 1 its own count is that of one choice, so all must have the same length
        }
        return len(self._server.handle_chat_completions(body)["choices"]) * self._tokens


async def measure(arm: Arm, n: int, seed: int) -> dict[str, float]:
    """Tokens for each second of wall time and of CPU time."""
    wall, cpu = time.perf_counter(), time.process_time()
    tokens = await arm(n, seed)
    return {
        "tokens_per_second": tokens / (time.perf_counter() - wall),
        "tokens_per_cpu_second": tokens / (time.process_time() - cpu),
    }


async def compare(arms: dict[str, Arm], widths: list[int], turns: int) -> list[dict[str, Any]]:
    """One row for each n: medians of each arm, and of the ratios within a turn."""
    for arm in arms.values():
        await arm(1, 0)
    rows = []
    for n in widths:
        taken: list[dict[str, dict[str, float]]] = []
        for turn in range(turns):
            order = list(arms) if turn % 2 == 0 else list(reversed(arms))
            figures = {name: await measure(arms[name], n, 1000 * turn + n) for name in order}
            taken.append(figures)
        row = summary(n, taken)
        rows.append(row)
        print(line(row), flush=True)
    return rows


def summary(n: int, taken: list[dict[str, dict[str, float]]]) -> dict[str, Any]:
    """Medians over the turns."""
    row: dict[str, Any] = {"n": n}
    for name in taken[0]:
        row[name] = {unit: median(turn[name][unit] for turn in taken) for unit in taken[0][name]}
    for unit in ("tokens_per_second", "tokens_per_cpu_second"):
        for other in ("bare", "sequential"):
            ratio = median(turn["ponder"][unit] / turn[other][unit] for turn in taken)
            row.setdefault(f"ponder_to_{other}", {})[unit] = ratio
    return row


HEADER = "  n |  ponder  sequential    bare | to bare  to sequential |  ponder    bare  to bare (by CPU time)"


def line(row: dict[str, Any]) -> str:
    """A row of the table."""
    wall, cpu = "tokens_per_second", "tokens_per_cpu_second"
    return (
        f"{row['n']:3} | {row['ponder'][wall]:7.1f} {row['sequential'][wall]:11.1f} {row['bare'][wall]:7.1f} "
        f"| {row['ponder_to_bare'][wall]:7.2f} {row['ponder_to_sequential'][wall]:14.2f} "
        f"| {row['ponder'][cpu]:7.1f} {row['bare'][cpu]:7.1f} {row['ponder_to_bare'][cpu]:8.2f}"
    )


async def run(options: argparse.Namespace) -> dict[str, Any]:
    """All rows, and what is needed to read them."""
    with terminal_progress() as show:
        path = await asyncio.to_thread(resolve, options.model, show=show)
    ponder, bare = Ponder(path, options.tokens), Bare(path, options.tokens)
    arms = {"ponder": ponder.batch, "sequential": ponder.sequential, "bare": bare.batch}
    load = os.getloadavg()[0]
    print(f"{options.model}, {cores()} cores, {options.tokens} tokens a sample, {options.turns} turns, load {load:.1f}")
    print(f"tokens/s\n{HEADER}")
    try:
        rows = await compare(arms, options.n, options.turns)
    finally:
        await ponder.aclose()
    print(f"load at the end {os.getloadavg()[0]:.1f}")
    return {
        "model": options.model,
        "cores": cores(),
        "tokens": options.tokens,
        "turns": options.turns,
        "load": [load, os.getloadavg()[0]],
        "rows": rows,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=MODEL, help=f"default: {MODEL}")
    parser.add_argument("--n", type=int, nargs="+", default=list(WIDTHS), help="samples of one question")
    parser.add_argument("--tokens", type=int, default=24, help="of each sample")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    options = parser.parse_args()
    figures = asyncio.run(run(options))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
