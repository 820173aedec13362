"""Which answers are the same."""

from __future__ import annotations

from fractions import Fraction

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ponder.answers.equivalence import Equivalence
from ponder.answers.kinds import read, settle
from ponder.workers.pool import Workers

pytestmark = pytest.mark.anyio

SETTLED_SAME = [
    ("5!", "120"),
    (r"\{1,2\}", "2, 1"),
    (r"x=1\text{ or }x=2", "1,2"),
    ("8 cm²", "8 cm^2"),
    ("12:30 p.m.", "12:30 PM"),
    ("\u22125", "-5"),
    ("\u20115", "-5"),
    ("0.5", r"\frac12"),
    ("0.5", "1/2"),
    ("1,000", "1000"),
    (r"10{,}000", "10000"),
    (r"1\,000", "1000"),
    ("1 1/2", "1.5"),
    (r"1\frac{1}{2}", "3/2"),
    (r"-\dfrac{1}{2}", r"\frac{-1}{2}"),
    (r"3\times10^5", "3 × 10⁵"),
    ("1e3", "1000"),
    ("007", "7"),
    (r"50\%", "50"),
    (r"50\%", "0.5"),
    ("$5", "5"),
    ("$5.00", "5 dollars"),
    (r"\$5", "5"),
    ("5 cm", "5"),
    (r"5\text{ cm}^2", "5"),
    (r"90^\circ", "90 degrees"),
    ("x = 5", "5"),
    ("0.333333", "1/3"),
    ("0.6666666", "2/3"),
    ("(B)", "b"),
    ("(B) Paris", "B"),
    ("Paris", " paris."),
    ("the Eiffel  Tower", "Eiffel tower"),
    (r"\text{No solution}", "no solution"),
    ("05/01/2021", "5/1/2021"),
    ('{"a": 1, "b": [1, 2.0]}', '{"b":[1.0,2],"a":1}'),
    ("[1, 2]", "[1,2.0]"),
    ("√2", r"\sqrt 2"),
    ("x**2", "x^2"),
    (r"\left(1, 2\right)", "(1,2)"),
]
SETTLED_DIFFERENT = [
    ("1 1/2", "11/2"),
    ("5", "6"),
    ("0.333", "1/3"),
    ("0.000001", "0.000002"),
    ("1234567.5", "1234568"),
    ("5", "-5"),
    ("x=5", "y=5"),
    ("A", "B"),
    ("(A) Paris", "(B) Paris"),
    ("(A) 3/4", "(A) 5/6"),
    ("yes", "no"),
    ("no", "on"),
    ("ACB", "BCA"),
    ("Paris", "London"),
    ("3 hours and 20 minutes", "20"),
    ("05/02/2021", "10/04/2021"),
    ("10:30", "5:15"),
    ('{"a": 1}', '{"a": true}'),
    ("[1,2]", "[2,1]"),
    ("1e999", "1e998"),
    ("", "x"),
]
DIFFERENT_BY_UNITS = [("5 m", "5 km"), ("3 h", "3 s"), ("5 hours", "5 minutes")]
ALGEBRA_SAME = [
    (r"\sqrt{8}", r"2\sqrt2"),
    (r"\sqrt2", "1.414214"),
    ("x^2+2x+1", "(x+1)^2"),
    ("2+3=5", "5"),
    ("1<x<2", "(1,2)"),
    ("(1,2)", "1<x<2"),
    (r"(-\infty,2)\cup(3,\infty)", r"(3,\infty)\cup(-\infty,2)"),
    (r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}", r"\begin{bmatrix}1\\2\end{bmatrix}"),
    ("2√3 meters", r"2\sqrt{3}"),
    ("ln(2)", r"\ln 2"),
    ("[1/2, 1]", "[0.5,1]"),
]
ALGEBRA_DIFFERENT = [
    *DIFFERENT_BY_UNITS,
    ("(1,2)", "(2,1)"),
    ("[1,2)", "[1,2]"),
    ("(1,2,3)", "(1,3,2)"),
    ("x+1", "x+2"),
    (r"\pi", "3.14"),
]


@pytest.mark.parametrize(("left", "right"), SETTLED_SAME)
def test_same_without_algebra(left: str, right: str) -> None:
    assert settle(read(left), read(right)) is True


@pytest.mark.parametrize(("left", "right"), SETTLED_DIFFERENT)
def test_different_without_algebra(left: str, right: str) -> None:
    assert settle(read(left), read(right)) is False


@pytest.mark.parametrize(("left", "right"), ALGEBRA_SAME)
async def test_same_by_algebra(equivalence: Equivalence, left: str, right: str) -> None:
    assert settle(read(left), read(right)) is None
    assert await equivalence.same(left, right)


@pytest.mark.parametrize(("left", "right"), ALGEBRA_DIFFERENT)
async def test_different_by_algebra(equivalence: Equivalence, left: str, right: str) -> None:
    assert settle(read(left), read(right)) is None
    assert not await equivalence.same(left, right)


FORMULAS = [text for pair in SETTLED_SAME + SETTLED_DIFFERENT + ALGEBRA_SAME + ALGEBRA_DIFFERENT for text in pair]
answers = st.text(max_size=40) | st.sampled_from(FORMULAS) | st.decimals(allow_nan=False).map(str)


@given(answers)
def test_every_answer_equals_itself(answer: str) -> None:
    assert settle(read(answer), read(answer)) is True


@given(answers, answers)
def test_what_is_settled_is_settled_both_ways(left: str, right: str) -> None:
    assert settle(read(left), read(right)) is settle(read(right), read(left))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(left=st.sampled_from(FORMULAS), right=st.sampled_from(FORMULAS))
def test_the_relation_is_symmetric(workers: Workers, left: str, right: str) -> None:
    async def both_ways() -> tuple[bool, bool]:
        return await Equivalence(workers).same(left, right), await Equivalence(workers).same(right, left)

    there, back = anyio.run(both_ways)
    assert there == back


@given(st.fractions(), st.fractions())
def test_fractions_are_the_same_exactly_when_they_are_equal(left: Fraction, right: Fraction) -> None:
    latex = rf"\frac{{{right.numerator}}}{{{right.denominator}}}"
    assert settle(read(str(left)), read(latex)) is (left == right)


async def test_numbers_words_and_choices_start_no_process() -> None:
    unused = Workers(size=1)
    equivalence = Equivalence(unused)
    for left, right in SETTLED_SAME + SETTLED_DIFFERENT:
        await equivalence.same(left, right)
    assert unused.jobs == 0


async def test_a_pair_is_computed_once_however_often_and_in_whatever_order_it_comes(workers: Workers) -> None:
    equivalence, before = Equivalence(workers), workers.jobs
    async with anyio.create_task_group() as group:
        for index in range(200):
            pair = (r"\sqrt{12}", r"2\sqrt{3}")
            group.start_soon(equivalence.same, *(pair if index % 2 else reversed(pair)))
    assert workers.jobs == before + 1


async def test_a_very_long_answer_is_compared_as_text_only() -> None:
    unused = Workers(size=1)
    long = "+".join(["x"] * 2_000)
    assert not await Equivalence(unused).same(long, "2000x")
    assert await Equivalence(unused).same(long, f" {long} ")
    assert unused.jobs == 0
