"""A reply is input from a stranger: reading it takes time that grows with its length, whatever it says."""

from __future__ import annotations

import random
import re

import pytest

from ponder.answers.extract import extract, json_part
from ponder.answers.json_values import value_of
from ponder.answers.kinds import read
from tests.hostile.patterns import faults, modules, patterns
from tests.hostile.seed import SEED
from tests.hostile.stepping import Steps, end_of, steps_of

READERS = [
    "ponder.answers",
    "ponder.core.voting.typical",
    "ponder.core.text.secrets",
    "ponder.backends.openai",
    "ponder.gateway.passthrough.relay",
]
"""What reads what a model has written, in the event loop."""

ONCE = {"ponder.answers.markup._WRAPPED": "only ever held against a whole value, from its first sign to its last"}
"""Patterns that the rule forbids and that are linear all the same, with the reason."""

FOUND = [found for package in READERS for module in modules(package) for found in patterns(module)]

PIECES = [
    "```json\n", "\n", " \n", " ", "<answer>", "\\boxed{", "\\boxed{x}", '{"answer":', "{", "[", "}", "```\n", "`", "*",
    "Answer: ", "**Answer", "the answer is ", "$", "a=", "#### ", "<think>", "</think>", "<|channel|>", "1", "a", "A. ",
    "1,", "\\", "\\(", '"', "'", "option A ", "答案是", "Result: ", "- a\n", "|a|b|\n", "\\frac{", "^{", "\u00a0",
    "word ", "x = 1\n", "{'answer': ", "The answer", "$a", "é", "(", "Dr. ", "def f(): pass\n",
]  # fmt: skip
QUESTION = "What is the capital of Australia? (A) Sydney (B) Canberra"


def shapes(rng: random.Random, number: int) -> list[tuple[str, str, str]]:
    """What may stand first, what is repeated, and what may stand last."""
    edges = [
        "",
        "Answer: ",
        "```json",
        "a",
        "\\boxed{",
        "<answer>",
        '{"answer": "',
        "The answer is ",
        "x",
        "</",
        "}",
        ".",
    ]
    return [
        (rng.choice(edges), "".join(rng.choices(PIECES, k=rng.choice((1, 1, 2, 3)))), rng.choice(edges))
        for _ in range(number)
    ]


def steps(text: str) -> int:
    """What one reply costs, from its text to the normal form of its answer."""
    with Steps([module for package in READERS[:1] for module in modules(package)]) as counted:
        found = extract(text, QUESTION)
        json_part(text)
        value_of(text)
        if found is not None:
            read.__wrapped__(found)  # not from its cache
    return counted.count


def repeated(shape: tuple[str, str, str], length: int) -> str:
    first, piece, last = shape
    return first + piece * (length // len(piece)) + last


REPORTED = [
    ("```json", "\n", "x"),
    ("a", " ", "b"),
    ("", "<answer>", "</"),
    ("", "\\boxed{", ""),
    ("", '"answer":', ""),
]


@pytest.mark.parametrize("shape", [*REPORTED, *shapes(random.Random(SEED), 10)], ids=repr)
def test_twice_the_text_takes_at_most_twice_the_steps(shape: tuple[str, str, str]) -> None:
    once, twice = (steps(repeated(shape, length)) for length in (600, 1_200))
    assert twice <= 2.4 * once + 4_000


@pytest.mark.parametrize(("name", "pattern"), [pytest.param(*found, id=found[0]) for found in FOUND])
def test_no_pattern_over_the_text_of_a_model_can_backtrack(name: str, pattern: re.Pattern[str]) -> None:
    """Bound the repeat, or write a scanner."""
    assert name in ONCE or faults(pattern) == []


@pytest.mark.parametrize(
    "pattern",
    [
        r"\s+x",
        r"a\s*\n",
        r"```json\s*\n(.*)\n\s*```",
        r"<answer>.*?</answer>",
        r"(?:a|b)*c",
        r"(?:\w+\s?)+x",
        r"\d*\.\d+",
    ],
)
def test_the_rule_finds_what_backtracks(pattern: str) -> None:
    assert faults(re.compile(pattern, re.DOTALL))


@pytest.mark.parametrize("pattern", [r"\s+", r"a[^b]*b", r"\w+", r"x{0,9}y", r"```[^`]*`", r"(?:,\d{3}){1,9}"])
def test_the_rule_lets_pass_what_does_not(pattern: str) -> None:
    assert faults(re.compile(pattern)) == []


def test_the_count_sees_a_pattern_that_takes_the_square_of_the_text() -> None:
    once, twice = (steps_of(re.compile(r"\s+x"), "search", " " * length) for length in (300, 600))
    assert twice > 3.5 * once


def test_the_matcher_that_counts_finds_what_re_finds() -> None:
    rng = random.Random(SEED)
    for _ in range(25):
        text = "".join(rng.choices([*PIECES, "5 km", "12:30", "1,000", "https://a.b"], k=6))
        for name, pattern in FOUND:
            start = rng.randrange(len(text))
            match = pattern.match(text, start)
            assert end_of(pattern, text, start) == (match.end() if match else None), name
