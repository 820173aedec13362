"""Agreement with labels of correctness: those of others, beside the repository, and of solutions made by chance."""

from __future__ import annotations

import json
import random
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


RIGHT = [
    ("420", "420", r"420\text{ people}", "420.0", r"4.2 \cdot 10^2"),
    (r"\frac{1}{2}", "0.5", r"\dfrac12", "1/2", r"\frac{3}{6}"),
    (r"2\sqrt{3}", r"\sqrt{12}", r"\sqrt3\cdot 2", r"2 \sqrt{3}"),
    (r"\left( 3, \frac{\pi}{2} \right)", r"(3, \pi/2)", r"\left(3,\frac{\pi}{2}\right)"),
    ("x^2+2x+1", "(x+1)^2", "1 + 2x + x^2"),
    ("10,000", "10000", r"10{,}000", "10^4"),
    (r"\text{Tuesday}", "Tuesday", "tuesday"),
    ("25%", r"25\%", "25 %"),
]
"""Spellings of one answer each, which differs from all others."""


def solutions(draw: random.Random, count: int) -> list[tuple[str, str, bool]]:
    """Solutions as language models write them, with the right answer, and whether theirs is right."""
    made = []
    for _ in range(count):
        spellings, wrong = draw.sample(RIGHT, 2)
        right = draw.random() < 0.5
        said = draw.choice(spellings if right else wrong)
        text = draw.choice(
            [
                f"We see that \\(\\boxed{{{draw.randint(1, 9)}}}\\) does not fit.\n\nSo it is \\(\\boxed{{{said}}}\\).",
                f"Step 1. Let $a = {draw.randint(2, 99)}$.\n\nStep 2. Then it follows:\n\\[ \\boxed{{{said}}} \\]",
                f"I check: {draw.randint(2, 99)} is too much.\n**Answer:** ${said}$\n\nI hope that this helps!",
            ]
        )
        made.append((text, spellings[0], right))
    return made


async def test_solutions_made_by_chance(equivalence: Equivalence) -> None:
    disagreements = []
    for text, reference, right in solutions(random.Random(0), 300):
        answer = extract(text)
        if (answer is not None and await equivalence.same(answer, reference)) != right:
            disagreements.append((text, answer, reference))
    assert disagreements == []


def test_solutions_of_sums_made_by_chance() -> None:
    draw = random.Random(0)
    for _ in range(300):
        a, b, c = (draw.randint(1, 999) for _ in range(3))
        steps = f"There are {a} * {b} = <<{a}*{b}={a * b}>>{a * b} in all.\n{c} leave, which is #{c}."
        right = draw.choice([f"{a * b - c}", f"{a * b - c:,}"])
        assert extract(f"{steps}\n#### {right}") == right


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
