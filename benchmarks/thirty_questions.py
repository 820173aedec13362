"""How much the questions of a benchmark can tell: intervals of accuracies, of paired differences, of costs.

    python benchmarks/thirty_questions.py ../shared/data/replay/qwen3/*.aime24.json.zst

Prints a Markdown table with a column for each trace and one for all together: per cent with 95 % intervals.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ponder.bench.bootstrap import Bootstrap, Estimate, known
from ponder.bench.compared_methods import Entry
from ponder.bench.measure import measure, rows
from ponder.replay.load import load_trace
from ponder.replay.play.methods import methods

SINGLE = "self-consistency(n=1)"
VOTE = "self-consistency(n=64)"
OTHERS = ["adaptive-consistency(n=64,threshold=0.95)", "short-m-at-k(m=16,k=32)", "cmc@1", "short-waves@1"]
SPECS = [SINGLE, VOTE, *OTHERS]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("traces", type=Path, nargs="+")
    given = parser.parse_args()
    traces = [load_trace(file) for file in given.traces]
    entries = [Entry(methods(spec)[0], spec, asked=True, cheap=False) for spec in SPECS]
    how = {"orders": 100, "probe_cost": 0, "threads": 1, "interpreted": False}
    measured, _, _ = measure(traces, entries, tick=lambda: None, **how)
    scopes = [Bootstrap(rows(some)) for some in ([one] for one in measured)] + [Bootstrap(rows(measured))]
    print("| | " + " | ".join([*(one.name for one in measured), "pooled"]) + " |")
    print("|---|" + "---|" * len(scopes))
    for spec in (SINGLE, VOTE):
        row(f"`{spec}`, accuracy", [accuracy(scope, spec) for scope in scopes])
    row(f"`{VOTE}` less `{SINGLE}`", [gain(scope, VOTE, SINGLE) for scope in scopes], sign="+")
    for spec in OTHERS:
        row(f"`{spec}` less `{VOTE}`", [gain(scope, spec, VOTE) for scope in scopes], sign="+")
        row("its tokens, of those", [cost(scope, spec, VOTE) for scope in scopes])


def accuracy(scope: Bootstrap, spec: str) -> Estimate:
    m = SPECS.index(spec)
    return scope.estimate(scope.seen[0, m], scope.drawn[0, :, m])


def gain(scope: Bootstrap, spec: str, other: str) -> Estimate:
    a, b = SPECS.index(spec), SPECS.index(other)
    return scope.estimate(scope.seen[0, a] - scope.seen[0, b], scope.drawn[0, :, a] - scope.drawn[0, :, b])


def cost(scope: Bootstrap, spec: str, other: str) -> Estimate:
    a, b = SPECS.index(spec), SPECS.index(other)
    return scope.estimate(scope.seen[1, a] / scope.seen[1, b], scope.drawn[1, :, a] / scope.drawn[1, :, b])


def row(name: str, estimates: list[Estimate], sign: str = "") -> None:
    def cell(one: Estimate) -> str:
        # Adding 0 makes a positive zero of a negative one.
        value, low, high = (format(round(100 * end, 1) + 0.0, f"{sign}.1f") for end in one)
        return f"{value} ({low} to {high})" if known(one) else f"{value} (on every question)"

    print(f"| {name} | " + " | ".join(map(cell, estimates)) + " |")


if __name__ == "__main__":
    main()
