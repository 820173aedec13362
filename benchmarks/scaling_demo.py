"""What does more computation buy on a small model? Accuracy against total and sequential tokens, paired over questions.

    pip install -e '.[local]' reasoning-gym==0.1.25
    python benchmarks/scaling_demo.py record --out scaling.jsonl     # hours on two cores; stop and go on at will
    python benchmarks/scaling_demo.py report scaling.jsonl

`record` answers each question once with best-of-n(n=8) and the P(yes) verifier, live, and writes every sample with its
length and its score. `report` drives each strategy over the recorded samples, so that all of them see the same ones:
the intervals are of paired differences, by a bootstrap over questions. The samples are in the order in which they were
drawn; "single" is the first. A right answer is one that reasoning-gym's own scorer accepts in full.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import json
import random
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ponder
import ponder.strategies
from ponder.core.answer import Answer
from ponder.core.settings import Settings
from ponder.engine.methods import parse_spec
from ponder.engine.simulation import drive
from ponder.replay.play.recorded_branches import Pool, Recorded

FAMILIES = ("gsm_symbolic", "simple_equations", "chain_sum")
QUESTIONS = 60
BRIEFLY = "\n\nWrite only the calculations, in a few short lines, then the answer."
BRIEF = {"simple_equations", "chain_sum"}
"""Families that are asked briefly: otherwise this model explains until its tokens are used up."""

SEED = 20261122
SAMPLES = 8
STRATEGIES = [
    "single",
    "self-consistency(n=2)",
    "self-consistency(n=4)",
    "self-consistency(n=8)",
    "adaptive-consistency(n=8)",
    "esc(n=8,window=4)",
    "short-m-at-k(m=3,k=8)",
    "best-of-n(n=8)",
    "best-of-n(n=8,select=naive)",
    "self-consistency(n=8,weight=verifier)",
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(required=True)
    record_verb = verbs.add_parser("record")
    record_verb.add_argument("--out", type=Path, required=True)
    record_verb.add_argument("--model", default="local/qwen2.5-coder-1.5b")
    record_verb.add_argument("--max-tokens", type=int, default=320)
    record_verb.add_argument("--families", nargs="*", default=FAMILIES)
    record_verb.add_argument("--together", type=int, default=4, help="questions at a time; wide batches are faster")
    record_verb.set_defaults(run=lambda given: asyncio.run(record(given)))
    report_verb = verbs.add_parser("report")
    report_verb.add_argument("file", type=Path)
    report_verb.add_argument("--json", action="store_true")
    report_verb.set_defaults(run=report)
    given = parser.parse_args()
    given.run(given)


@functools.cache
def questions(family: str) -> list[dict[str, Any]]:
    """The family's questions, the same on every machine."""
    import reasoning_gym

    return list(reasoning_gym.create_dataset(family, size=QUESTIONS, seed=SEED))


async def record(given: argparse.Namespace) -> None:
    """Sample every question that the file does not have yet, of each family in turn."""
    done = {(row["family"], row["index"]) for row in read(given.out)} if given.out.exists() else set()
    todo = [(family, index) for index in range(QUESTIONS) for family in given.families]
    todo = [question for question in todo if question not in done]
    backend = ponder.connect(given.model)
    turns = asyncio.Semaphore(given.together)
    try:
        with given.out.open("a") as file:

            async def one(family: str, index: int) -> None:
                async with turns:
                    row = await record_one(backend, given, family, index)
                file.write(json.dumps(row) + "\n")
                file.flush()
                print(f"{family} {index}: {row['answer']} in {row['seconds']} s", file=sys.stderr)

            async with asyncio.TaskGroup() as group:
                for question in todo:
                    group.create_task(one(*question))
    finally:
        await backend.aclose()


async def record_one(backend: ponder.Backend, given: argparse.Namespace, family: str, index: int) -> dict[str, Any]:
    began = time.monotonic()
    answer = await ponder.asolve(
        questions(family)[index]["question"] + (BRIEFLY if family in BRIEF else ""),
        model=backend,
        strategy=f"best-of-n(n={SAMPLES})",
        verifier="p-yes",
        max_tokens=given.max_tokens,
        seed=SEED + index,
    )
    return {
        "family": family,
        "index": index,
        "model": given.model,
        "max_tokens": given.max_tokens,
        "answer": answer.value,
        "seconds": round(time.monotonic() - began, 1),
        "bill": answer.bill.as_dict(),
        "samples": [sample(branch) for branch in answer.branches],
    }


def sample(branch: ponder.Branch) -> dict[str, Any]:
    return {
        "answer": branch.answer,
        "tokens": branch.tokens,
        "truncated": branch.ending != "stop",
        "score": branch.score,
        "text": branch.text,
    }


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def report(given: argparse.Namespace) -> None:
    """Drive every strategy over the recorded samples and compare."""
    rows = read(given.file)
    results = []
    for family in dict.fromkeys(row["family"] for row in rows):
        results += compare(family, [row for row in rows if row["family"] == family])
    if given.json:
        print(json.dumps(results, indent=1))
        return
    for family in dict.fromkeys(result["family"] for result in results):
        print_table([result for result in results if result["family"] == family])


def compare(family: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    import reasoning_gym

    entries = questions(family)
    scorer = reasoning_gym.create_dataset(family, size=QUESTIONS, seed=SEED)
    baseline: list[bool] = []
    results = []
    for spec in STRATEGIES:
        answers = [replay(spec, row) for row in rows]
        right = [
            correct(scorer, entries[row["index"]], answer.value) for row, answer in zip(rows, answers, strict=True)
        ]
        baseline = baseline or right
        results.append(
            {
                "family": family,
                "strategy": spec,
                "questions": len(rows),
                "accuracy": statistics.fmean(right),
                "gain": interval([after - before for after, before in zip(right, baseline, strict=True)]),
                "total_tokens": statistics.fmean(answer.bill.total_tokens for answer in answers),
                "sequential_tokens": statistics.fmean(answer.bill.sequential_tokens for answer in answers),
            }
        )
    covered = [
        any(correct(scorer, entries[row["index"]], one["answer"]) for one in row["samples"] if not one["truncated"])
        for row in rows
    ]
    results.append({"family": family, "strategy": f"(coverage of {SAMPLES} samples: the ceiling)",
                    "questions": len(rows), "accuracy": statistics.fmean(covered)})  # fmt: skip
    return results


def replay(spec: str, row: dict[str, Any]) -> Answer:
    pool = Pool([Recorded(**{**one, "score_tokens": 1}) for one in row["samples"]])
    return drive(parse_spec(spec), ponder.Problem.of("recorded"), pool, settings=Settings(max_tokens=row["max_tokens"]))


def correct(scorer: Any, entry: dict[str, Any], value: str | None) -> bool:
    return value is not None and float(scorer.score_answer(value.replace(",", ""), entry)) == 1.0


def interval(differences: Sequence[float], draws: int = 10_000) -> tuple[float, float, float]:
    """The mean paired difference and its 95 % bootstrap interval over questions (Efron 1979, percentile method)."""
    rng = random.Random(0)
    means = sorted(statistics.fmean(rng.choices(differences, k=len(differences))) for _ in range(draws))
    return statistics.fmean(differences), means[int(0.025 * draws)], means[int(0.975 * draws) - 1]


def print_table(results: list[dict[str, Any]]) -> None:
    first = results[0]
    print(f"\n{first['family']}, {first['questions']} questions")
    print(f"{'strategy':40} {'accuracy':>8}  {'gain over single [95 %]':>26} {'total':>8} {'sequential':>10}")
    for result in results:
        line = f"{result['strategy']:40} {100 * result['accuracy']:7.1f}%"
        if "gain" in result:
            gain, low, high = (100 * value for value in result["gain"])
            line += f"  {gain:+8.1f} [{low:+6.1f}, {high:+6.1f}] {result['total_tokens']:10.0f}"
            line += f" {result['sequential_tokens']:10.0f}"
        print(line)


if __name__ == "__main__":
    main()
