"""What was compiled is found again by the next process, if nothing that it depends on has changed."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from worlds import branch, trace

from ponder.controllers.self_consistency import self_consistency
from ponder.replay.plane import code_on_disk as kept
from ponder.replay.plane.compiled import compiled_play_all
from ponder.replay.play import controllers as evaluate
from ponder.replay.play.controllers import FEW, replay
from ponder.replay.play.methods import methods

RECORDED = trace(branch("AA", 25, "A"), branch("B", 15, "B"), branch("AA", 25, "A"))

OWN = """\
from ponder.core.methods.controller import TO_END, controller

LEAST = 2

def enough(view):
    return view.n_finished[0] >= LEAST

@controller()
def mine(view, plan, k: int = 3):
    for b in range(k):
        if not enough(view):
            plan.open[0] = b + 1
            plan.run[b] = TO_END
            yield
"""

PLAYS = """
import sys
sys.path.insert(0, {tests!r})
from worlds import branch, trace
from ponder.replay.untrusted import compile as foreign
from ponder.replay.play.methods import methods
[method] = methods(sys.argv[1])
recorded = trace(branch("AA", 25, "A"), branch("B", 15, "B"), branch("AA", 25, "A"))
played = method.play(recorded, orders=5, interpreted=False)
[built] = foreign._built.values()
print(sum(built.stats.cache_hits.values()), played.tokens.tolist())
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty place for compiled code, and a process that has built nothing yet."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    compiled_play_all.cache_clear()
    return tmp_path / "cache/ponder"


def hits() -> int:
    """Play compiled; how much of it was found."""
    compiled_play_all.cache_clear()
    run = replay(RECORDED, self_consistency, (2,), orders=2, interpreted=False)
    plain = replay(RECORDED, self_consistency, (2,), orders=2, interpreted=True)
    assert run.tokens.tolist() == plain.tokens.tolist()
    return sum(compiled_play_all(self_consistency).stats.cache_hits.values())


def test_another_process_finds_it_even_for_a_file_of_a_persons_own(place: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(OWN)
    script = PLAYS.format(tests=str(Path(__file__).parent))

    def in_a_process() -> list[str]:
        done = subprocess.run([sys.executable, "-c", script, str(file)], capture_output=True, text=True, check=True)
        return done.stdout.split(maxsplit=1)

    (first, figures), (second, again) = in_a_process(), in_a_process()
    assert (first, second) == ("0", "1")
    assert figures == again


def test_what_is_damaged_is_compiled_again(place: Path) -> None:
    assert (hits(), hits()) == (0, 1)
    [piece] = place.iterdir()
    content = bytearray(piece.read_bytes())
    content[len(content) // 2] ^= 1
    for damaged in (bytes(content), b""):
        piece.write_bytes(damaged)
        assert hits() == 0
        assert hits() == 1


def test_a_place_that_cannot_be_written_is_no_mistake(place: Path) -> None:
    place.parent.write_text("a file, where a folder should be")
    assert (hits(), hits()) == (0, 0)


def test_there_are_never_more_pieces_than_a_few(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "MOST_PIECES", 3)
    place.mkdir(parents=True)
    for number in range(5):
        (place / f"old-{number}").touch()
    hits()
    assert len(list(place.iterdir())) == 3
    assert hits() == 1


def program(text: str, **names: Any) -> Any:
    """A function of this source, in a module with these names."""
    exec(textwrap.dedent(text), names)
    return names["run"]


def test_its_name_is_made_of_all_that_it_depends_on() -> None:
    source = "def helper(x):\n    return x + 1\ndef run(view, plan):\n    plan.open[0] = helper(LIMIT)\n    yield\n"
    first = kept.made_from(program(source, LIMIT=1))
    assert first is not None
    assert first == kept.made_from(program(source, LIMIT=1))
    others = (
        kept.made_from(program(source, LIMIT=2)),
        kept.made_from(program(source, LIMIT=1.0)),
        kept.made_from(program(source.replace("x + 1", "x + 2"), LIMIT=1)),
        kept.made_from(program(source, LIMIT=1), "careful"),
    )
    assert len({first, *others}) == 5
    assert None not in others


def test_what_depends_on_something_untold_is_not_kept() -> None:
    assert kept.made_from(program("def run(view, plan):\n    yield TABLE", TABLE={})) is None
    assert kept.made_from(program("def run(view, plan):\n    yield subprocess", subprocess=subprocess)) is None


def test_few_episodes_are_played_as_plain_python(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate, "_played", {})
    [method] = methods("self-consistency(n=3)")
    wide = trace(*[branch("A" * 30, 305, "A")] * 40)
    steps = 40 * 31
    method.play(wide, orders=2)
    assert not place.exists()
    method.play(wide, orders=FEW // steps + 1)
    assert len(list(place.iterdir())) == 1
