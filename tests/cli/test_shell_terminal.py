"""What a person sees on a terminal, and what Ctrl-C does there."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from command import EXECUTABLE
from terminal import Terminal, plain

from tests.servers.chat import ChatServer
from tests.servers.faults import NAMED

CTRL_C = "\x03"


@pytest.fixture
def show(environment: dict[str, str]) -> Callable[..., Terminal]:
    """Runs ``ponder ARGUMENTS`` on a terminal."""

    def start(*arguments: str, columns: int = 80, lines: int = 24, **more: str) -> Terminal:
        return Terminal([EXECUTABLE, *arguments], {**environment, **more}, columns, lines)

    return start


Show = Callable[..., Terminal]


def test_the_display_shows_branches_votes_and_spend_and_makes_room_for_the_result(
    show: Show, server: ChatServer, model: str
) -> None:
    server.token_latency = 0.1
    with show("solve", "-m", model, "-s", "adaptive-consistency(n=3,threshold=1)", "what is the sum?") as terminal:
        terminal.wait_for("running")
        terminal.wait_for("votes  none")
        terminal.wait_for(" sequential")
        terminal.wait_for("done")
        terminal.wait_for("votes  ")
        terminal.wait_for("answer ")
        assert terminal.finish() == 0
    assert terminal.seen.count("\x1b[?25l") == terminal.seen.count("\x1b[?25h") == 1  # the cursor is back
    result = plain(terminal.seen).rsplit("answer ", 1)[1]
    assert "stopped " in result
    assert "Ctrl-C" not in result


def test_many_branches_fit_the_height_of_the_terminal(show: Show, server: ChatServer, model: str) -> None:
    server.token_latency = 0.05
    with show("solve", "-m", model, "-s", "self-consistency(n=64)", "what?", columns=60, lines=12) as terminal:
        assert terminal.finish() == 0
    # Each picture is taken away line by line, from the lowest to the highest.
    moves = [len(up.group()) // len("\x1b[1A\x1b[2K") for up in re.finditer(r"(\x1b\[1A\x1b\[2K)+", terminal.seen)]
    assert 5 < max(moves) < 12
    assert re.search(r"and \d+ ", plain(terminal.seen))
    drawn = re.split(r"[\r\n]+", plain(terminal.seen).split("answer ")[0])
    assert max(map(len, drawn)) < 60


def test_no_color_is_respected(show: Show, model: str) -> None:
    for environment, coloured in (({}, True), ({"NO_COLOR": "1"}, False)):
        with show("solve", "-m", model, "-s", "single", "what is the sum?", **environment) as terminal:
            assert terminal.finish() == 0
        assert bool(re.search(r"\x1b\[\d*;?3\d", terminal.seen)) is coloured


def test_a_dumb_terminal_gets_plain_lines(show: Show, model: str) -> None:
    with show("solve", "-m", model, "-s", "single", "what is the sum?", TERM="dumb") as terminal:
        assert terminal.finish() == 0
    assert "\x1b" not in terminal.seen
    assert "b0  " in terminal.seen


def test_ctrl_c_books_what_was_cut_and_answers_with_what_is_there(show: Show, server: ChatServer, model: str) -> None:
    server.faults.append(NAMED["hang-midstream"])
    with show("solve", "-m", model, "-s", "single", "what is the sum?") as terminal:
        terminal.wait_for("Once upon")
        terminal.type(CTRL_C)
        assert terminal.finish() == 130
    result = plain(terminal.seen).rsplit("answer ", 1)[1]
    assert "interrupted" in result
    assert "3 total" in result  # of nine bytes that nobody has counted
    assert "goes on from here" in result
    assert "Traceback" not in terminal.seen


def test_a_second_ctrl_c_ends_even_a_strategy_that_computes_without_end(show: Show, model: str, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from ponder import Answer, Session, strategy\n"
        "@strategy()\n"
        "async def loops(s: Session) -> Answer:\n"
        "    await s.extend(await s.sample(1))\n"
        "    print('computing', flush=True)\n"
        "    while True: pass\n"
    )
    with show("solve", "-m", model, "--load", str(tmp_path / "mine.py"), "-s", "loops", "what?") as terminal:
        terminal.wait_for("computing")
        terminal.type(CTRL_C)
        assert terminal.finish(insisting=CTRL_C) == 130
    assert re.search(r"ponder: stopped at once; `ponder resume \w+` goes on from here", plain(terminal.seen))
    assert terminal.seen.count("\x1b[?25h") == 1  # the cursor is back
    assert "Traceback" not in terminal.seen


def test_ctrl_c_before_the_run_begins_is_one_line(show: Show, model: str) -> None:
    with show("solve", "-m", model, "-") as terminal:
        terminal.wait_for("Ctrl-D")
        terminal.type(CTRL_C)
        assert terminal.finish(insisting=CTRL_C) == 130  # the first may come just before the read begins
    assert "ponder: interrupted" in terminal.seen
    assert "Traceback" not in terminal.seen


def test_errors_are_one_line_on_a_terminal_too(show: Show, server: ChatServer, model: str) -> None:
    server.faults.append(NAMED["401"])
    with show("solve", "-m", model, "-s", "single", "what is the sum?", columns=200) as terminal:
        assert terminal.finish() == 2
    last = plain(terminal.seen).strip().splitlines()[-1]
    assert last.startswith("ponder: ")
    assert "answered 401" in last
