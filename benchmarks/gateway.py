"""What a gateway adds to a request, and how many it takes: Ponder, LiteLLM's proxy, optillm and its_hub side by side.

    apt-get install wrk
    python benchmarks/gateway.py             # about half an hour, once the environments are made
    python benchmarks/gateway.py --quick     # two short rounds
    python benchmarks/gateway.py --only ponder aiohttp

All servers stand in front of one upstream that answers a call in 20 ms, and take turns: in each round the same schedule
of requests, at a fixed rate with exponential gaps, goes straight to the upstream and then through each server. What a
server adds is the difference of the quantiles in one round; the median over the rounds is shown, and the least and the
most. Times count from when a request was due, so that a server that stalls is not asked less. Then wrk keeps 64
connections busy. Generator, server and upstream share two cores. CPU time is that of the server's processes.

Three kinds of requests: passed through; passed through as a stream of 20 events, 5 ms apart; and answered by a vote
over 8 samples. The upstream counts the samples: with fewer the benchmark fails, more are calls that were made again.
On a machine that is busy with something else, times say nothing; how busy it is without us is printed.

What could not be made equal:

* uvicorn+aiohttp is a proxy of nothing but these two libraries. It checks, counts, limits, logs and books nothing, and
  so shows what the usual way to pass a request on costs by itself.
* Replies come in one piece, but for the second kind of requests. Ponder asks for its samples as streams.
* LiteLLM has no self-consistency.
* optillm takes its 8 samples one after the other, so its requests take eight times the upstream's time. Its server has
  no option for their number, which is 5; `serving/optillm_server.py` sets it. It streams nothing that it passes on.
* its_hub does not pass requests through: a vote over one sample stands for that. It does not stream either.
* All servers log as they do by themselves, none asks for a key, and each is one process. `overhead/environments.py`
  pins the versions.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from overhead.upstream import stats_of, upstream
from serving.open_loop import measure
from serving.processes import busy_cores, usage
from serving.servers import FIXED, PASS, SAMPLES, SERVERS, STREAM, VOTE, WORDS, Fields, Running, body_of, running
from serving.wrk import find_wrk, saturate

__all__: list[str] = []

CORES = 2
LATENCY = 0.02
SLOTS = 4096
PATIENCE = 10.0
CALMING = 20
QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
DIRECT = "upstream itself"

Figures = dict[str, float]
Measured = dict[str, dict[str, list[Figures]]]
"""By kind of request, then by server: the figures of each round."""


@dataclass(frozen=True, slots=True)
class Load:
    """One kind of request: how many a second at a fixed rate, and over how many connections wrk sends them."""

    kind: str
    rate: float
    connections: int


LOADS = (Load(PASS, 100, 64), Load(STREAM, 30, 64), Load(VOTE, 15, 16))


@dataclass(frozen=True, slots=True)
class Target:
    """Where requests go: a server, or the upstream itself; `asks` as in `Server`."""

    name: str
    url: str
    asks: Mapping[str, Fields]
    group: int | None = None

    @classmethod
    def of(cls, running: Running) -> Target:
        """That of a server."""
        return cls(running.server.name, running.url, running.server.asks, running.group)

    def cpu(self) -> float:
        """CPU seconds so far."""
        return usage(self.group).cpu if self.group is not None else 0.0


class Bench:
    """One run, over `targets` in front of the upstream at `url`."""

    def __init__(self, url: str, targets: list[Target], folder: Path, seconds: int) -> None:
        self._url = url
        self._targets = targets
        self._folder = folder
        self._seconds = seconds

    def run(self, rounds: int) -> Measured:
        """All loads."""
        measured: Measured = {load.kind: {} for load in LOADS}
        for load in LOADS:
            for number in range(rounds + 1):
                print(f"{load.kind}: round {number} of {rounds}", file=sys.stderr, flush=True)
                for target in self._targets:
                    if load.kind in target.asks:
                        figures = self._round(load, target, number)
                        if number:  # the first one warms up
                            measured[load.kind].setdefault(target.name, []).append(figures)
        return measured

    def _round(self, load: Load, target: Target, number: int) -> Figures:
        body = body_of(target.asks[load.kind])
        figures = self._paced(load, target, body, number) | self._saturated(load, target, body)
        self._calm_down()
        return figures

    def _calm_down(self) -> None:
        """Until nothing is left of the requests that wrk broke off."""
        for _ in range(CALMING):
            asked = stats_of(self._url)["requests"]
            time.sleep(1)
            if stats_of(self._url)["requests"] == asked:
                return

    def _paced(self, load: Load, target: Target, body: bytes, seed: int) -> Figures:
        count = max(20, round(load.rate * self._seconds))
        asked, cpu = stats_of(self._url)["choices"], target.cpu()
        measured = measure(target.url, body, load.rate, count, seed, PATIENCE)
        cpu, asked = target.cpu() - cpu, stats_of(self._url)["choices"] - asked
        expected = count * (SAMPLES if load.kind == VOTE else 1)
        if not measured.failed and target.group is not None and asked < expected:
            raise SystemExit(f"{target.name} took {asked} samples for {expected} ({load.kind})")
        quantiles = {name: 1e3 * measured.quantile(q) for name, q in QUANTILES.items()}
        return {**quantiles, "failed": measured.failed / count, "cpu_ms": 1e3 * cpu / count, "samples": asked / count}

    def _saturated(self, load: Load, target: Target, body: bytes) -> Figures:
        served, cpu = stats_of(self._url), target.cpu()
        made = saturate(target.url, body, load.connections, self._seconds, self._folder)
        cpu, after = target.cpu() - cpu, stats_of(self._url)
        answered = max(1, made.requests)
        resident = usage(target.group).resident / 2**20 if target.group is not None else 0.0
        return {
            "per_s": made.per_second,
            "failed_saturated": made.failed / answered,
            "cpu_ms_saturated": 1e3 * cpu / answered,
            "upstream_cpu_ms": 1e3 * (after["cpu_s"] - served["cpu_s"]) / answered,
            "mb": resident,
        }


def _added(own: list[Figures], direct: list[Figures], name: str) -> list[float]:
    return [mine[name] - bare[name] for mine, bare in zip(own, direct, strict=True)]


def _row(own: list[Figures], direct: list[Figures]) -> list[str]:
    added = {name: sorted(_added(own, direct, name)) for name in QUANTILES}
    one = {name: median(figures[name] for figures in own) for name in own[0]}
    rates = sorted(figures["per_s"] for figures in own)
    return [
        *(f"{median(values):.2f} ({values[0]:.2f}..{values[-1]:.2f})" for values in added.values()),
        f"{one['samples']:.2f}",
        f"{one['cpu_ms']:.2f}",
        f"{one['per_s']:.0f} ({rates[0]:.0f}..{rates[-1]:.0f})",
        f"{one['cpu_ms_saturated']:.2f}",
        f"{one['mb']:.0f}",
        f"{100 * max(one['failed'], one['failed_saturated']):.1f} %",
    ]


def _table(load: Load, measured: dict[str, list[Figures]]) -> str:
    direct = measured[DIRECT]
    one = {name: median(figures[name] for figures in direct) for name in direct[0]}
    title = (
        f"{load.kind}, {load.rate:.0f} requests a second; the upstream itself: p50 {one['p50']:.1f}, "
        f"p95 {one['p95']:.1f}, p99 {one['p99']:.1f} ms, {one['per_s']:.0f} requests/s from {load.connections} "
        f"connections, {one['upstream_cpu_ms']:.3f} ms of CPU a request"
    )
    heads = [
        "",
        *(f"{name} added ms" for name in QUANTILES),
        "samples",
        "CPU ms",
        "requests/s",
        "CPU ms ",
        "MB",
        "failed",
    ]
    rows = [heads, *([name, *_row(own, direct)] for name, own in measured.items() if name != DIRECT)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(heads))]
    return "\n".join([title, *("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)])


def main() -> None:
    """Run the benchmark and print a table for each kind of request, or with `--json` everything that was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two rounds of two seconds")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5, help="of each round, at a fixed rate and again with wrk")
    parser.add_argument("--json", action="store_true", help="print every round as JSON")
    parser.add_argument("--only", metavar="TEXT", nargs="+", help="only servers with a TEXT in their name")
    parser.add_argument("--env-dir", type=Path, default=Path.home() / ".cache" / "ponder" / "bench-envs")
    options = parser.parse_args()
    find_wrk()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    rounds, seconds = (2, 2) if options.quick else (options.rounds, options.seconds)
    busy, began = busy_cores(), time.monotonic()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = stack.enter_context(upstream(LATENCY, SLOTS))
        direct = {PASS: FIXED, STREAM: WORDS, VOTE: FIXED}
        targets = [Target(DIRECT, f"{url}/v1/chat/completions", direct)]
        for server in SERVERS:
            if not options.only or any(text in server.name for text in options.only):
                print(f"starting {server.name}", file=sys.stderr, flush=True)
                one = running(server, options.env_dir, folder / server.name, f"{url}/v1")
                targets.append(Target.of(stack.enter_context(one)))
        measured = Bench(url, targets, folder, seconds).run(rounds)
    about: dict[str, Any] = {"busy_before": busy, "busy_after": busy_cores(), "seconds": time.monotonic() - began}
    if options.json:
        print(json.dumps({**about, "rounds": measured}, indent=1))
        return
    print(f"busy with something else, of {CORES} cores: {busy:.2f} before, {about['busy_after']:.2f} after")
    for load in LOADS:
        print(f"\n{_table(load, measured[load.kind])}")


if __name__ == "__main__":
    main()
