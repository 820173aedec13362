"""Episodes a second of every controller in compiled replay, beside plain Python.

    python benchmarks/replay_speed.py TRACE.json.zst [--orders 100] [--threads 0]

An episode is one question under one order of its branches. The first column includes compiling (the environment is
compiled with the first method), the second is the best of five further runs on one core, the third is plain Python,
both by CPU time; the fourth is all cores by the clock. `ratio` is the second over the third, `gain` what all cores make
of one, by the clock, the median of five pairs. Both programs must come to the same figures.

Then a sweep, which loads and compiles once: what it takes, how much memory grows from its tenth setting to its last,
and what 10,000 methods of this kind on four such traces would take.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from replay.plain import METHODS, Branch

import ponder.controllers  # noqa: F401 - registers them
from ponder.replay.load import load_trace
from ponder.replay.play.methods import methods
from ponder.replay.traces.trace import Trace

PLAIN_ORDERS = 5
SWEEP = "cmc@0:1:0.005"


def busy(call: Callable[[], Any]) -> float:
    """Seconds of CPU, which a machine that others use does not stretch as it does the clock's."""
    start = time.process_time()
    call()
    return time.process_time() - start


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = call()
    return time.perf_counter() - start, result


def plainly(trace: Trace, spec: str, orders: int) -> tuple[int, int]:
    """Right answers and tokens over all episodes."""
    right = tokens = 0
    for q, answers in enumerate(trace.answers):
        records = [record(trace, q, i) for i in range(trace.branches)]
        for seed in range(orders):
            branches = [Branch(one) for one in records]
            random.Random(seed).shuffle(branches)
            answer, cost = METHODS[spec](branches, trace.interval)
            right += answer is not None and answers.index(answer) == trace.references[q]
            tokens += cost
    return right, tokens


def record(trace: Trace, q: int, i: int) -> tuple[list[str], int, str]:
    at = q * trace.branches + i
    ids = trace.probes[trace.starts[at] : trace.starts[at] + trace.counts[at]]
    answers = trace.answers[q]
    return [answers[one] for one in ids], int(trace.lengths[at]), answers[trace.finals[at]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trace", type=Path)
    parser.add_argument("--orders", type=int, default=100)
    parser.add_argument("--threads", type=int, default=0, help="for the last column; 0 is all cores")
    arguments = parser.parse_args()
    took, trace = timed(lambda: load_trace(arguments.trace))
    print(f"{trace.name}: {len(trace.questions)} questions x {trace.branches} branches, read in {took:.2f} s")
    print(f"{'first, s':>9} {'episodes/s':>11} {'plain':>7} {'ratio':>6} {'all cores':>10} {'gain':>5}  method")
    for spec in METHODS:
        measure(trace, spec, arguments.orders, arguments.threads)
    sweep(trace, arguments.orders, arguments.threads)


def measure(trace: Trace, spec: str, orders: int, threads: int) -> None:
    [method] = methods(spec)

    def run(orders: int = orders, threads: int = 1) -> Any:
        return method.play(trace, orders=orders, threads=threads)

    episodes = len(trace.questions) * orders
    first, _ = timed(run)
    warm = min(busy(run) for _ in range(5))
    pairs = [(timed(run)[0], timed(lambda: run(threads=threads))[0]) for _ in range(5)]
    spread, gain = min(spread for _, spread in pairs), median(alone / spread for alone, spread in pairs)
    start = time.process_time()
    figures = plainly(trace, spec, PLAIN_ORDERS)
    slow = time.process_time() - start
    check = run(orders=PLAIN_ORDERS)
    if figures != (int(check.correct.sum()), int(check.tokens.sum())):
        raise SystemExit(f"{spec}: the two evaluators disagree")
    plain = len(trace.questions) * PLAIN_ORDERS / slow
    print(
        f"{first:9.2f} {episodes / warm:11,.0f} {plain:7,.0f} {episodes / warm / plain:6.0f} "
        f"{episodes / spread:10,.0f} {gain:5.2f}  {spec}",
        flush=True,
    )


def sweep(trace: Trace, orders: int, threads: int) -> None:
    """All settings of `SWEEP`, on one core and on all."""
    settings = methods(SWEEP)
    grown = [0]

    def run(threads: int) -> None:
        for position, method in enumerate(settings):
            method.play(trace, orders=orders, threads=threads)
            if position in (9, len(settings) - 1):
                grown.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)

    alone = min(busy(lambda: run(1)) for _ in range(3)) / len(settings)
    together = min(timed(lambda: run(threads))[0] for _ in range(3)) / len(settings)
    print(
        f"{SWEEP}: {len(settings)} settings, {1000 * alone:.0f} ms each on one core (CPU time), "
        f"{1000 * together:.0f} ms on all (clock), {(grown[2] - grown[1]) / 1024:.1f} MiB more memory\n"
        f"10,000 methods x 4 traces x {orders} orders: {alone * 40_000 / 3600:.1f} h on one core, "
        f"{together * 40_000 / 3600:.1f} h on {threads or os.cpu_count()}"
    )


if __name__ == "__main__":
    main()
