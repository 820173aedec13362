"""Runs whose process is killed at random moments; `python -m tests.kill.campaign` kills more of them."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.kill.campaign import Campaign, serving

POINTS = 40


@pytest.mark.timeout(600)
def test_killed_runs_resume_to_the_same_answer_and_the_same_bill(tmp_path: Path) -> None:
    seed = random.randrange(1_000_000)
    log = tmp_path / "calls.jsonl"
    with serving(log) as url:
        report = Campaign(url, log, tmp_path).run(POINTS, seed)
    assert not report.failures, f"seed {seed}\n{report}"
    assert report.points == POINTS
    assert report.lost_calls, "no kill caught a call in flight"
    assert report.replayed_calls, "no run had got anywhere"
