"""Every reference figure of the published traces beside what replay obtains, as a Markdown table.

    python benchmarks/expected_figures.py ../shared/data/replay/expected-aime24.json

The file holds ``{"results": {"MODEL/TASK": {SPEC: {"accuracy_pct": ..., "tokens_per_question": ...}}}}``; the trace of
``MODEL/TASK`` is ``*/MODEL.TASK.json.zst`` beside it. Accuracy to two decimals, tokens cut to whole ones, over 100
orders. Exits with 1 if any figure differs.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import ponder.controllers  # noqa: F401 - registers them
from ponder.replay.load import load_trace
from ponder.replay.play.methods import methods


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("expected", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    print("| trace | method | accuracy, %: expected | obtained | tokens: expected | obtained | |")
    print("|---|---|---:|---:|---:|---:|---|")
    results = json.loads(given.expected.read_text())["results"]
    different = sum(compare(given.expected.parent, name, figures, given.threads) for name, figures in results.items())
    print(f"\n{different} of {2 * sum(map(len, results.values()))} figures differ")
    sys.exit(1 if different else 0)


def compare(folder: Path, name: str, expected: dict[str, dict[str, float]], threads: int) -> int:
    """Print the rows of one trace; how many figures differ."""
    (file,) = folder.glob(f"*/{name.replace('/', '.')}.json.zst")
    trace = load_trace(file)
    different = 0
    for spec, figures in expected.items():
        (method,) = methods(spec)
        played = method.play(trace, orders=100, threads=threads)
        accuracy, tokens = round(100 * played.accuracy, 2), int(played.tokens.mean())
        wrong = (accuracy != figures["accuracy_pct"]) + (tokens != figures["tokens_per_question"])
        different += wrong
        print(
            f"| {name} | `{spec}` | {figures['accuracy_pct']:.2f} | {accuracy:.2f} "
            f"| {figures['tokens_per_question']:,} | {tokens:,} | {'DIFFERS' if wrong else 'equal'} |",
            flush=True,
        )
    return different


if __name__ == "__main__":
    main()
