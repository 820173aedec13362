"""Nothing is left of many requests, a tenth of them with faults, but the bill; `soak.py` does it with any number."""

from __future__ import annotations

from pathlib import Path

from tests.gateway.faults.soak import soak


def test_nothing_is_left_of_many_requests(tmp_path: Path) -> None:
    report = soak(600, faults=0.1, seed=1, at_once=64, place=tmp_path, say=lambda line: None)
    assert report.wrong() == [], report.table()
    assert report.outcomes.total() == 600
