"""Make the generated trace, and the figures expected on it, anew.

    python tests/replay/generated/make.py

See README.md beside it for when that is right.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import zstandard

import ponder.controllers  # noqa: F401 - registers them
from ponder.replay.importers.autotts import read_autotts
from ponder.replay.play.methods import methods

HERE = Path(__file__).parent
NAME = "Generated/sums"
TRACE = HERE / f"traces/{NAME.replace('/', '.')}.json.zst"

QUESTIONS, BRANCHES, INTERVAL = 12, 128, 500

SPECS = (
    "self-consistency(n=64)",
    "adaptive-consistency(n=64,threshold=0.95)",
    "esc(n=64,window=8)",
    "parallel-probe(n=64,stable=40,warmup=15,patience=7)",
    "cmc@0.0",
    "cmc@0.25",
    "cmc@0.5",
    "cmc@0.75",
    "cmc@1.0",
    "lead(m=3)",
    "short-m-at-k(m=8,k=32)",
    "short-waves(n=16)",
)


def main() -> None:
    draw = random.Random(0)
    questions = [_question(draw, q) for q in range(QUESTIONS)]
    TRACE.write_bytes(zstandard.ZstdCompressor(19).compress(json.dumps(questions).encode()))
    trace = read_autotts(TRACE)
    figures = {}
    for spec in SPECS:
        [method] = methods(spec)
        played = method.play(trace, orders=100)
        figures[spec] = {
            "accuracy_pct": round(100 * played.accuracy, 2),
            "tokens_per_question": int(played.tokens.mean()),
            "sequential_tokens_per_question": int(played.sequential.mean()),
        }
    (HERE / "expected.json").write_text(json.dumps({"results": {NAME: figures}}, indent=1) + "\n")


def _question(draw: random.Random, number: int) -> dict[str, Any]:
    """Branches that wander among a few answers and settle, sooner on the easier questions."""
    difficulty = (number + 0.5) / QUESTIONS
    reference = str(draw.randrange(1000))
    wrong = [str(draw.randrange(1000)) for _ in range(2 + round(8 * difficulty))]
    weights = [1 - difficulty, *(difficulty / (rank + 1) for rank in range(len(wrong)))]

    def answer() -> str:
        return draw.choices([reference, *wrong], weights)[0]

    branches = []
    for _ in range(BRANCHES):
        length = int(draw.lognormvariate(8.6 + difficulty, 0.5))
        held, probes = answer(), []
        for depth in range(length // INTERVAL):
            if draw.random() < 0.1 * difficulty:
                held = answer()
            probes.append("No" if draw.random() < 0.3 / (depth + 1) else held)
        branches.append([probes, length, held])
    return {
        "question": f"Question {number}?",
        "gold_answer": reference,
        "probe_freq": INTERVAL,
        "each_branch": branches,
    }


if __name__ == "__main__":
    main()
