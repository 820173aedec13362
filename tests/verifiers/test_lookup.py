"""Verifiers by the spec that people write."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from ponder.core.backend import Request
from ponder.core.branch import Branch
from ponder.core.completion import Completion
from ponder.core.errors import InvalidOption, UnknownName
from ponder.core.problem import Problem, Verifier
from ponder.verifiers import EXAMPLES, NAMES, Function, resolve

pytestmark = pytest.mark.anyio

CHECKS = """
from ponder.verifiers import Exact

ready = Exact()
number = 42

def is_even(problem, answer):
    return int(answer) % 2 == 0
"""


@pytest.fixture(autouse=True)
def _checks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user's module in the working directory."""
    (tmp_path / "arithmetic_checks.py").write_text(CHECKS)
    (tmp_path / "broken.py").write_text("def f(:\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)


async def score(verifier: Verifier, answer: str) -> float:
    async def ask(request: Request) -> Completion:
        raise AssertionError("a function asks no model")

    branch = Branch(id="1", text=f"Answer: {answer}", answer=answer)
    return await verifier.score(Problem.of("17 + 25 = ?"), branch, ask)


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        ("math", "math"),
        ("exact", "exact"),
        (" choice ", "choice"),
        (r"regex:^\d+(:\d\d)?$", r"regex:^\d+(:\d\d)?$"),
        ("p-yes", "p-yes"),
        ("p-yes()", "p-yes"),
        ("p-yes(k=4)", "p-yes(k=4)"),
        ("arithmetic_checks:is_even", "arithmetic_checks:is_even"),
        ("./arithmetic_checks.py:is_even", "./arithmetic_checks.py:is_even"),
    ],
)
def test_specs(spec: str, name: str) -> None:
    assert resolve(spec).name == name


@pytest.mark.parametrize("spec", ["arithmetic_checks:is_even", "./arithmetic_checks.py:is_even"])
async def test_a_function_of_the_user(spec: str) -> None:
    assert await score(resolve(spec), "42") == 1
    assert await score(resolve(spec), "43") == 0


def test_a_ready_verifier_is_taken_as_it_is() -> None:
    assert resolve("arithmetic_checks:ready").name == "exact"


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        ("maths", "unknown verifier 'maths'; did you mean 'math'?"),
        ("regexp:a", "unknown verifier 'regexp'; did you mean 'regex'?"),
        ("p-no(k=2)", "unknown verifier 'p-no'; known: choice, "),
        ("p-yes(n=4)", "unknown option of p-yes 'n'; known: k"),
        ("arithmetic_checks:iseven", "unknown name in arithmetic_checks 'iseven'; did you mean 'is_even'?"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(spec: str, complaint: str) -> None:
    with pytest.raises(UnknownName, match=re.escape(complaint)):
        resolve(spec)


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        ("regex", "lacks its argument; write regex:PATTERN"),
        ("json-schema:", "lacks its argument; write json-schema:FILE"),
        ("json-schema:/no/such.json", "No such file"),
        ("regex:(", "is not a pattern"),
        ("p-yes(k=many)", "p-yes: k=many is not a whole number"),
        ("p-yes(k=65)", "p-yes: k=65 must lie between 0 and 64"),
        ("p-yes(4)", "'4' is not of the form key=value"),
        ("math(k=4)", "verifier math has no options"),
        ("no.such.module:f", "cannot be imported: ModuleNotFoundError"),
        ("./nowhere.py:f", "does not exist"),
        ("math.py:", "is not of the form MODULE:NAME"),
        ("arithmetic_checks:number", "number is int, not a function"),
        ("./broken.py:f", "cannot be loaded: SyntaxError"),
    ],
)
def test_a_wrong_spec_is_one_clear_line(spec: str, complaint: str) -> None:
    with pytest.raises(InvalidOption) as caught:
        resolve(spec)
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("spec", [name for name in NAMES if ":" not in name])
def test_every_listed_name_resolves(spec: str) -> None:
    assert resolve(spec).name in spec


@pytest.mark.parametrize("name", NAMES)
def test_every_name_has_an_example_that_is_one(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("point.json").write_text("{}")
    Path("checks.py").write_text("def is_short(problem, answer): return len(answer) < 9\n")
    [spec] = shlex.split(EXAMPLES[name])
    assert isinstance(resolve(spec), Verifier)


@pytest.mark.parametrize("parameters", ["", "answer", "problem, answer, model", "*, problem, answer"])
def test_a_function_that_does_not_take_problem_and_answer_is_refused_before_it_is_called(parameters: str) -> None:
    with pytest.raises(InvalidOption, match="is called with the problem and the answer"):
        Function(eval(f"lambda {parameters}: 1"))


@pytest.mark.parametrize("parameters", ["problem, answer", "*all", "p, a, more=1", "a, /, b, **rest"])
def test_any_function_that_can_be_called_so_will_do(parameters: str) -> None:
    Function(eval(f"lambda {parameters}: 1"))
