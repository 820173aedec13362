"""What each verifier scores, and the suite that every one of them passes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ponder.core import completion
from ponder.core.backend import Capability, Request
from ponder.core.branch import Branch
from ponder.core.completion import Completion, Usage
from ponder.core.errors import InvalidOption, InvalidProblem, VerifierError
from ponder.core.problem import Problem, Verifier
from ponder.verifiers import Choice, Equivalence, Exact, Function, JsonSchema, Math, PYes, Regex
from ponder.workers.pool import Workers

pytestmark = pytest.mark.anyio

SUM = Problem.of("What is 17 + 25?", reference="42")
CAPITAL = Problem.of("Capital of France? (A) Rome (B) Paris", reference="B")


def answering(answer: str | None, raw: str | None = None) -> Branch:
    return Branch(id="1", text=f"... Answer: {answer}", answer=answer, raw_answer=raw, ending="stop")


async def no_model(request: Request) -> Completion:
    """The `ask` of verifiers that have no business calling a model."""
    raise AssertionError(f"asked the model: {request.messages}")


async def undecided_model(request: Request) -> Completion:
    """Always as likely to say Yes as No; its checks are short."""
    choice = completion.Choice("Yes", 1, "length", first={"Yes": -1.0, "No": -1.0})
    return Completion((choice,) * request.n, Usage(prompt=10, output=request.n))


SHIPPED: dict[str, Callable[[Workers], Verifier]] = {
    "math": lambda workers: Math(Equivalence(workers)),
    "exact": lambda workers: Exact(),
    "choice": lambda workers: Choice(),
    "regex": lambda workers: Regex(r"^\s*\d+\s*$", workers),
    "json-schema": lambda workers: JsonSchema({"type": "integer"}, workers=workers),
    "function": lambda workers: Function(lambda problem, answer: answer == problem.reference),
    "p-yes": lambda workers: PYes(),
    "p-yes(k=2)": lambda workers: PYes(k=2),
}


@pytest.mark.parametrize("name", SHIPPED)
class TestEveryVerifier:
    """The conformance kit: to test one of your own, add it to SHIPPED."""

    async def test_declares_what_it_is(self, name: str, workers: Workers) -> None:
        verifier = SHIPPED[name](workers)
        assert isinstance(verifier, Verifier)
        assert verifier.name
        assert all(isinstance(need, Capability) for need in verifier.needs)

    async def test_scores_no_answer_0_without_asking_the_model(self, name: str, workers: Workers) -> None:
        verifier = SHIPPED[name](workers)
        assert await verifier.score(CAPITAL, answering(None), no_model) == 0

    @settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(answer=st.text() | st.text(alphabet="\\{}[]$^_xB()09 "))
    @example(answer="\ud800\x00")
    @example(answer="[" * 5_000)
    @example(answer="9" * 5_000)
    def test_scores_any_text_between_0_and_1_and_the_same_twice(self, name: str, workers: Workers, answer: str) -> None:
        async def twice() -> list[float]:
            verifier = SHIPPED[name](workers)
            return [await verifier.score(CAPITAL, answering(answer), undecided_model) for _ in range(2)]

        first, second = anyio.run(twice)
        assert 0 <= first <= 1
        assert first == second


async def test_math_compares_values(workers: Workers) -> None:
    math = Math(Equivalence(workers))
    assert await math.score(SUM, answering("42.0"), no_model) == 1
    assert await math.score(SUM, answering(r"\frac{84}{2}"), no_model) == 1
    assert await math.score(SUM, answering("43"), no_model) == 0


async def test_exact_compares_what_this_branch_wrote() -> None:
    assert await Exact().score(SUM, answering("42"), no_model) == 1
    assert await Exact().score(SUM, answering("42", raw="42.0"), no_model) == 0


@pytest.mark.parametrize(("answer", "score"), [("B", 1), ("(b)", 1), ("B. Paris", 1), ("A", 0), ("Paris", 0)])
async def test_choice_compares_letters(answer: str, score: float) -> None:
    assert await Choice().score(CAPITAL, answering(answer), no_model) == score


@pytest.mark.parametrize("verifier", [Math(), Exact(), Choice()])
async def test_without_a_reference_there_is_nothing_to_compare_with(verifier: Verifier) -> None:
    with pytest.raises(InvalidProblem, match=f"the {verifier.name} verifier compares with a reference answer"):
        await verifier.score(Problem.of("Why?"), answering("42"), no_model)


async def test_choice_needs_a_letter_as_reference() -> None:
    with pytest.raises(InvalidProblem, match="needs a letter as reference answer, not '42'"):
        await Choice().score(SUM, answering("B"), no_model)


async def test_regex_searches_the_answer(workers: Workers) -> None:
    even = Regex(r"[02468]$", workers)
    assert await even.score(SUM, answering("42"), no_model) == 1
    assert await even.score(SUM, answering("43"), no_model) == 0


async def test_a_pattern_that_backtracks_for_ever_scores_0(workers: Workers) -> None:
    assert await Regex(r"(a+)+$", workers).score(SUM, answering("a" * 40 + "b"), no_model) == 0


def test_a_bad_pattern_is_refused_at_once() -> None:
    with pytest.raises(InvalidOption, match=r"'\(a' is not a pattern: missing \)"):
        Regex("(a")


PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "born": {"$ref": "#/$defs/year"}},
    "required": ["name"],
    "$defs": {"year": {"type": "integer", "minimum": 0}},
}


@pytest.mark.parametrize(
    ("answer", "score"),
    [
        ('{"name": "Ada", "born": 1815}', 1),
        ('{"name": "Ada", "born": "1815"}', 0),
        ('{"born": 1815}', 0),
        ("Ada, born 1815", 0),
    ],
)
async def test_json_schema_checks_the_shape(workers: Workers, answer: str, score: float) -> None:
    assert await JsonSchema(PERSON, workers=workers).score(SUM, answering(answer), no_model) == score


async def test_json_schema_may_describe_the_object_around_the_answer(workers: Workers) -> None:
    schema = {
        "type": "object",
        "required": ["answer", "why"],
        "additionalProperties": False,
        "properties": {"answer": {"type": "integer"}, "why": {"type": "string"}},
    }
    whole = Branch(id="1", text='```json\n{"why": "I added", "answer": 42}\n```', answer="42", ending="stop")
    assert await JsonSchema(schema, workers=workers).score(SUM, whole, no_model) == 1
    part = Branch(id="1", text='```json\n{"answer": 42}\n```', answer="42", ending="stop")
    assert await JsonSchema(schema, workers=workers).score(SUM, part, no_model) == 0


@pytest.mark.parametrize(
    "hostile",
    [
        {"pattern": "^(a+)+$"},
        {"$ref": "#"},
        {
            "$ref": "#/$defs/30",
            "$defs": {"0": {}} | {str(n): {"allOf": [{"$ref": f"#/$defs/{n - 1}"}] * 2} for n in range(1, 31)},
        },
    ],
    ids=["pattern", "circular reference", "doubling references"],
)
async def test_a_schema_that_takes_for_ever_scores_0(workers: Workers, hostile: dict[str, Any]) -> None:
    assert await JsonSchema(hostile, workers=workers).score(SUM, answering(f'"{"a" * 40}b"'), no_model) == 0


async def test_a_schema_cannot_reach_outside_itself(workers: Workers) -> None:
    verifier = JsonSchema({"$ref": "http://localhost/schema.json"}, workers=workers)
    with pytest.raises(InvalidOption, match=r"the schema cannot be applied: .*Unresolvable"):
        await verifier.score(SUM, answering("1"), no_model)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ('{"type": "nonsense"}', "not a valid JSON schema: 'nonsense' is not valid"),
        ("[1]", "a schema is a JSON object, not list"),
        ("{", "not a JSON file"),
        (None, "No such file or directory"),
    ],
)
def test_a_bad_schema_file_is_refused_at_once(tmp_path: Path, content: str | None, complaint: str) -> None:
    path = tmp_path / "schema.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(InvalidOption, match=complaint):
        JsonSchema.from_file(str(path))


def test_a_schema_is_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "person.json"
    path.write_text(json.dumps(PERSON))
    assert JsonSchema.from_file(str(path)).name == f"json-schema:{path}"


async def is_close(problem: Problem, answer: str) -> float:
    return 1 / (1 + abs(float(answer) - float(problem.reference or 0)))


def is_number(problem: Problem, answer: str) -> bool:
    return answer.isdigit()


async def test_functions_may_be_plain_or_async() -> None:
    assert await Function(is_close).score(SUM, answering("43"), no_model) == 0.5
    assert await Function(is_number).score(SUM, answering("43"), no_model) == 1


async def test_a_function_that_raises_is_named() -> None:
    with pytest.raises(
        VerifierError, match="verifier is_close raised ValueError: could not convert string to float: 'x'"
    ):
        await Function(is_close).score(SUM, answering("x"), no_model)


@pytest.mark.parametrize("value", [2, -0.1, float("nan"), "1", None])
async def test_a_function_that_gives_no_score_is_named(value: Any) -> None:
    with pytest.raises(VerifierError, match=r"verifier odd gave .*; a score is a number between 0 and 1"):
        await Function(lambda problem, answer: value, "odd").score(SUM, answering("42"), no_model)
