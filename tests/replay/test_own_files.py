"""Controllers from a person's own file: what goes wrong in one has a line and a sentence."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
from worlds import branch, trace

import ponder.controllers  # noqa: F401 - registers them
from ponder.core.errors import InvalidOption, PonderWarning, StrategyError, UsageError
from ponder.core.methods.controller import parse_controller, registered_controllers
from ponder.replay.play.methods import methods
from ponder.replay.play.outcome import Replayed

RECORDED = trace(branch("AAAA", 45, "A"), branch("B", 15, "B"), branch("AA", 25, "A"), branch("", 5, None))

OPENING = """\
from ponder.core.methods.controller import TO_END, controller

@controller()
def mine(view, plan, k: int = 2):
    plan.open[0] = k
    yield
"""
LINE = OPENING.count("\n")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "mine.py"


def played(file: Path, body: str, *, interpreted: bool = False) -> Replayed:
    file.write_text(OPENING + textwrap.indent(textwrap.dedent(body), "    "))
    [method] = methods(str(file))
    return method.play(RECORDED, orders=3, interpreted=interpreted)


IN_STEP = """
while view.n_finished[0] < k:
    for b in range(k):
        if not view.finished[b]:
            plan.advance[b] = 1
    yield
"""


def test_a_file_is_a_method_with_its_options(file: Path) -> None:
    file.write_text(OPENING + textwrap.indent(IN_STEP, "    "))
    [one], [same], [other] = methods(str(file)), methods(f"{file}:mine"), methods(f"{file}(k=3)")
    assert (one.name, dict(one.settings), dict(other.settings)) == ("mine", {"k": 2}, {"k": 3})
    plain, compiled = (same.play(RECORDED, orders=6, interpreted=flag) for flag in (True, False))
    assert compiled.tokens.tolist() == plain.tokens.tolist()
    assert len(set(plain.tokens[0].tolist())) > 1
    assert one.plan.controller is other.plan.controller


def test_a_file_takes_no_name_away(file: Path) -> None:
    shipped = registered_controllers()["cmc"]
    file.write_text(OPENING.replace("controller()", 'controller("cmc")'))
    [method] = methods(str(file))
    assert method.plan.controller is not shipped  # type: ignore[union-attr]
    assert parse_controller("cmc").controller is shipped


def test_a_file_that_was_changed_is_read_again(file: Path) -> None:
    file.write_text(OPENING)
    [before] = methods(str(file))
    file.write_text(OPENING.replace("k: int = 2", "k: int = 9"))
    [after] = methods(str(file))
    assert (before.settings["k"], after.settings["k"]) == (2, 9)
    assert [one.name for one in file.parent.iterdir()] == ["mine.py"]


MISTAKES = [
    ("if view.votes[view.leader[0]] > 1:\n    return", 1, "IndexError: view.votes[-1] does not exist"),
    ("plan.note[4] = 1", 1, "IndexError: plan.note[4] does not exist, the positions are 0 to 3"),
    ("view.depth[0] = 7", 1, "TypeError: view.depth may only be read"),
    ("plan.open[0] = 0.5", 1, "TypeError: plan.open[0] cannot be 0.5"),
    ("plan.open[0] = None", 1, "TypeError: plan.open[0] cannot be None"),
    ("for d in view.depth:\n    pass", 1, "TypeError: view.depth has no end"),
    ("raise ValueError('no good')", 1, "ValueError: no good"),
    ("plan.note[0] = 1 // view.n_finished[0]", 1, "ZeroDivisionError"),
    ("if k > 5:\n    x = 1\nplan.note[0] = x", 3, "UnboundLocalError"),
    ("while not view.finished[0]:\n    plan.tally[0] += 1", 1, "has turned 2,000,000 times in loops"),
    ("while True:\n    yield", 2, "plans nothing, and would wait for ever"),
    ("plan.run[0] = TO_END\nyield\nplan.advance[0] = 1\nyield", 4, "a branch that has finished or was pruned"),
    ("plan.answer[0] = 5", 0, "an id that was never shown"),
]


@pytest.mark.parametrize("interpreted", [True, False])
@pytest.mark.parametrize(("body", "line", "words"), MISTAKES)
def test_a_mistake_has_a_line_and_a_sentence(file: Path, body: str, line: int, words: str, interpreted: bool) -> None:
    with pytest.raises(StrategyError) as caught:
        played(file, body, interpreted=interpreted)
    text = str(caught.value)
    assert f"{file}, line {LINE + line}: the controller " in text
    assert words in text
    assert "\n" not in text


RARE = """\
from ponder.core.methods.controller import TO_END, controller

@controller()
def mine(view, plan):
    plan.open[0] = 1
    plan.run[0] = TO_END
    yield
    if view.length[0] == 5:
        {body}
"""


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("plan.note[100] = 1", "line 9: the controller raised IndexError: plan.note[100] does not exist"),
        ("plan.note[view.answer[0]] = 1", "line 9: the controller raised IndexError: plan.note[-1] does not exist"),
        ("plan.note[0] = 1 // (view.n_opened[0] - 1)", "line 9: the controller raised ZeroDivisionError"),
        ("while True: plan.tally[0] += 1", "line 9: the controller has turned 2,000,000 times in loops"),
        ("raise ValueError", "line 9: the controller raised ValueError"),
    ],
)
def test_a_mistake_that_only_compiled_code_meets_is_found_there(file: Path, body: str, words: str) -> None:
    file.write_text(RARE.format(body=body))
    [method] = methods(str(file))
    method.play(
        RECORDED, orders=1, interpreted=False
    )  # the first order, which is also tried as plain Python, does not show it
    with pytest.raises(StrategyError) as caught:
        method.play(RECORDED, orders=20, interpreted=False)
    assert words in str(caught.value)
    assert "order 0)" not in str(caught.value)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("plan.note[0] = len(f'{k:>3}')", f"line {LINE + 1}: Numba cannot compile"),
        ("words = {1: 'a'}\nplan.note[0] = len(words)\nimport math", f"line {LINE + 3}: Numba cannot compile"),
        ("for b in range(k):\n    last = b\nplan.note[last] = 1", "last may be read before it has a value"),
        ("global seen\nseen = 1", "Numba cannot compile"),
        ("plan.note[0] = (k << 62) > 0", "comes to other figures when it is compiled"),
    ],
)
def test_what_cannot_be_compiled_runs_as_plain_python_with_a_warning(file: Path, body: str, words: str) -> None:
    body += "\nif plan.note[0] and not view.finished[0]:\n    plan.advance[0] = 1\n    yield"
    with pytest.warns(PonderWarning) as caught:
        compiled = played(file, body)
    assert len(caught) == 1
    assert words in str(caught[0].message)
    assert str(caught[0].message).endswith("it is played as plain Python, which is slow")
    assert compiled.tokens.tolist() == played(file, body, interpreted=True).tokens.tolist()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def mine(:\n", "SyntaxError"),
        ("import math\nmath.sqrt(-1)\n", "ValueError: math domain error (line 2)"),
        ("import sys\nsys.exit()\n", "SystemExit"),
        ("x = 1\n", "defines no method; decorate a function in it with @controller() or @strategy()"),
        (OPENING.replace("yield", "return 1"), "controller mine has no yield"),
        (OPENING.replace("(view, plan, k: int = 2)", "(view)"), "line 3: mine must take view, plan"),
        (OPENING.replace("k: int", "k: Cont"), "NameError: name 'Cont' is not defined (line 4)"),
        (OPENING + OPENING.replace("mine", "other"), "defines several methods; write"),
        ("\0", "SyntaxError"),
    ],
)
def test_a_file_that_is_no_method_is_one_line(file: Path, text: str, words: str) -> None:
    file.write_text(text)
    with pytest.raises(UsageError) as caught:
        methods(str(file))
    assert words in str(caught.value)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there(file: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        methods(str(file))


def test_an_option_without_a_value_is_asked_for(file: Path) -> None:
    file.write_text(OPENING.replace("int = 2", "int"))
    with pytest.raises(InvalidOption, match="k has no default"):
        methods(str(file))
    [method] = methods(f"{file}(k=1)")
    assert method.settings == {"k": 1}
