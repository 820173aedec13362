"""Agreement with correctness labels recorded by others; the recordings lie beside the repository."""

from __future__ import annotations

import json
from typing import Any

import pytest
import zstandard

from ponder.answers.equivalence import Equivalence
from ponder.answers.extract import extract
from tests.shared_data import shared_data

pytestmark = pytest.mark.anyio


def recorded(name: str) -> list[dict[str, Any]]:
    with zstandard.open(shared_data(name), "rb") as lines:
        return [json.loads(line) for line in lines.read().splitlines()]


async def test_math_solutions_of_a_language_model(equivalence: Equivalence) -> None:
    """800 solutions to 100 MATH problems; the one known disagreement is a label that holds 10{,}000 for no 10000."""
    disagreements = []
    for row in recorded("samples/math-rm8/samples.jsonl.zst"):
        for solution, correct in zip(row["code"], row["score"], strict=True):
            answer = extract(solution)
            if (answer is not None and await equivalence.same(answer, row["gt"])) != correct:
                disagreements.append((row["gt"], answer))
    assert disagreements == [(r"10{,}000", "10000")]


async def test_math500_solutions_by_people(equivalence: Equivalence) -> None:
    """All but one, which goes on after its box to check "our answer:"."""
    rows = recorded("benchmarks/math500.jsonl.zst")
    found = [await equivalence.same(extract(row["solution"]) or "", row["answer"]) for row in rows]
    assert found.count(False) <= 1


def test_gsm8k_solutions_by_people() -> None:
    rows = recorded("benchmarks/gsm8k_test.jsonl.zst")
    assert [extract(row["answer"]) for row in rows] == [row["answer"].split("#### ")[1] for row in rows]
