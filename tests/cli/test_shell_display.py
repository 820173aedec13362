"""The picture of a run fits any terminal."""

from __future__ import annotations

import anyio.lowlevel
import pytest
from rich.cells import cell_len

import ponder.strategies  # noqa: F401 - registers them
from ponder.answers import Answers
from ponder.backends.scripted import Scripted
from ponder.cli.terminal.format import clean, clip, dollars, duration, tail, votes_line
from ponder.cli.terminal.screen import render
from ponder.cli.terminal.snapshot import Picture
from ponder.core.problem import Problem
from ponder.core.settings import Settings
from ponder.engine.live.driver import Live
from ponder.engine.methods import parse_spec

pytestmark = pytest.mark.anyio

WIDE = "思考する" * 30 + " Answer: \\boxed{四十二}"


def run_of(spec: str, script: list[str]) -> tuple[Live, Picture]:
    pictures: list[Picture] = []
    live = Live(
        parse_spec(spec), Problem.of("what?"), Scripted(script, token_seconds=0.001), answers=Answers(),
        settings=Settings(), seed=1, watch=lambda *grown: pictures[0].watch(*grown),
    )  # fmt: skip
    pictures.append(Picture(live))
    return live, pictures[0]


@pytest.mark.parametrize("width", [1, 10, 30, 49, 80, 200])
@pytest.mark.parametrize("height", [1, 3, 6, 12, 24, 100])
async def test_no_line_is_too_long_and_no_picture_too_high(width: int, height: int) -> None:
    live, picture = run_of("self-consistency(n=64)", ["one two three Answer: 42", WIDE])
    async with anyio.create_task_group() as group:
        group.start_soon(live.run)
        for _ in range(5):
            await anyio.sleep(0.002)
            lines = render(picture, live, width, height)
            assert len(lines) <= max(height - 1, 1)
            assert all(cell_len(line.plain) < max(width, 2) for line in lines)


async def test_the_picture_adds_what_streams_in_to_what_is_booked() -> None:
    live, picture = run_of("self-consistency(n=2)", ["one two three four Answer: 42"])
    totals: list[int] = []
    async with anyio.create_task_group() as group:

        async def look() -> None:
            while live.state.bill.total_tokens == 0:
                totals.append(picture.total_tokens)
                await anyio.lowlevel.checkpoint()

        group.start_soon(look)
        answer = await live.run()
    assert totals == sorted(totals)
    assert max(totals) > 0
    assert picture.total_tokens == answer.bill.total_tokens
    assert {row.answer for row in picture.rows()} == {"42"}
    text = "\n".join(line.plain for line in render(picture, live, 80, 24))
    assert "votes  42 ×2" in text
    assert "self-consistency(n=2): 2 branches, 0 open" in text


def test_words() -> None:
    assert clip("abcdef", 4) == "abc…"
    assert tail("abcdef", 4) == "…def"
    assert (clip("思考", 3), tail("思考", 3)) == ("思…", "…考")
    assert clean("a\x1b[2Jb\x07\nc") == "a[2Jb\nc"
    assert votes_line({"42": 3.0, "41": 0.5}) == "42 ×3 · 41 ×0.50"
    assert [dollars(usd) for usd in (None, 0.0, 0.000123, 12.5)] == ["unknown", "$0.00", "$0.000123", "$12.50"]
    assert [duration(seconds) for seconds in (0.04, 59.94, 125)] == ["0.0 s", "59.9 s", "2 min 05 s"]
