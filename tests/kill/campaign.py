"""Kill processes at random moments, resume their runs, and compare with runs that nobody disturbed.

    python -m tests.kill.campaign --points 300 --seed 1
    python -m tests.kill.campaign --points 300 --only "first-three, n at once"

A real HTTP server, real processes, kill -9. Every point is a strategy and one to three moments; it counts only if the
first kill hit a process that was alive.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import multiprocessing
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from ponder.core.answer import Answer
from ponder.core.backend import Capability
from ponder.engine.resume.journal import Entry
from ponder.store.sqlite import Store
from tests.kill.client import said, work
from tests.kill.programs import NAMES

__all__ = ["Campaign", "Case", "Report", "serving"]

ALL = frozenset({Capability.SAMPLE, Capability.CANCEL, Capability.CONTINUE, Capability.SEED, Capability.N})

Key = tuple[str, int, str]
"""Lane, step and part: which call it is, in any life."""

PATIENCE = 60.0
"""Seconds after which a run that should have ended counts as hanging."""

AT_ONCE = 4
"""Points under way at a time; their time is spent waiting."""


@dataclass(frozen=True)
class Case:
    """A strategy, with or without calls that complete several branches."""

    spec: str
    many: bool

    @property
    def capabilities(self) -> frozenset[Capability]:
        return ALL if self.many else ALL - {Capability.N}

    def __str__(self) -> str:
        return self.spec + (", n at once" if self.many else "")


CASES = [Case(spec, many) for spec in NAMES for many in (False, True)]


@dataclass
class Report:
    """What came of a campaign."""

    points: int = 0
    kills: int = 0
    before_the_run: int = 0
    lost_calls: int = 0
    replayed_calls: int = 0
    by_case: Counter[Case] = field(default_factory=Counter)
    moments: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        thirds = Counter(max(0, min(int(moment * 3), 2)) for moment in self.moments)
        lines = [
            f"{self.points} points, {self.kills} kills of living processes, {len(self.failures)} failures",
            f"first kill in the first, second, last third of the run: {thirds[0]}, {thirds[1]}, {thirds[2]}",
            f"killed before there was a run: {self.before_the_run}",
            f"answered calls that were not made again: {self.replayed_calls}; calls lost in flight: {self.lost_calls}",
            *(f"  {count:4} {case}" for case, count in self.by_case.items()),
            *self.failures,
        ]
        return "\n".join(lines)


class Log:
    """What the server saw."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def received(self, name: str) -> Counter[int | None]:
        """How often run `name` asked with each seed."""
        rows = [json.loads(line) for line in self._path.read_text().splitlines()]
        return Counter(seed for who, seed, event in rows if who == name and event == "received")


@contextmanager
def serving(log: Path) -> Iterator[str]:
    """A server process; gives its URL."""
    command = [sys.executable, "-m", "tests.kill.server", "--log", str(log)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield server.stdout.readline().strip()
        finally:
            server.kill()


class Campaign:
    """Points of some cases against one server. Each works in a directory of its own below `folder`."""

    def __init__(self, url: str, log: Path, folder: Path, cases: Sequence[Case] = CASES) -> None:
        self._url = url
        self._log = Log(log)
        self._folder = folder
        self._cases = cases
        # A fresh interpreter a life, forked from one that has imported everything.
        self._processes = multiprocessing.get_context("forkserver")
        self._processes.set_forkserver_preload(["tests.kill.client", "ponder.strategies", "aiohttp"])
        # Whoever starts a process looks after all the others, too, and of two threads that look after one at the same
        # time, multiprocessing gives the second an exit code of 255.
        self._looking = threading.Lock()
        self._expected: dict[Case, Answer] = {}
        self._prompts: dict[Case, dict[Key, int]] = {}
        self._seconds: dict[Case, float] = {}

    def run(self, points: int, seed: int) -> Report:
        """Kill at `points` moments."""
        rng = random.Random(seed)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(self._undisturbed, self._cases))
            report = Report()
            while report.points < points and len(report.failures) < 10:
                turns = range(report.points, min(points, report.points + 60))
                cases = [self._cases[turn % len(self._cases)] for turn in turns]
                seeds = [rng.randrange(2**31) for _ in cases]
                for _ in pool.map(lambda case, seed: self._point(report, case, seed), cases, seeds):
                    pass
        return report

    def _undisturbed(self, case: Case) -> None:
        """The reference: one run from start to end, twice, as it must not depend on chance."""
        answers = []
        for turn in range(2):
            name = f"{case.spec}-{case.many}-{turn}"
            self._live(case, name, None)
            answers.append(_essence(_answer(self._store(name))))
        assert answers[0] == answers[1], f"{case} depends on chance: {answers}"
        self._expected[case] = answers[0]
        charges = {_key(entry): (entry.result or {}).get("charge", {}) for entry in _entries(self._store(name))}
        self._prompts[case] = {key: charge.get("prompt", 0) for key, charge in charges.items()}
        self._seconds[case] = _answer(self._store(name)).bill.seconds

    def _point(self, report: Report, case: Case, seed: int) -> None:
        rng = random.Random(seed)
        for turn in itertools.count():  # until a kill comes before the run is through
            name = f"{case.spec}-{case.many}-{seed}-{turn}"
            moment = _moment(rng)
            if self._live(case, name, moment * self._seconds[case]):
                break
        kills = 1
        while kills < 3 and rng.random() < 0.3 and self._live(case, name, rng.random() * self._seconds[case]):
            kills += 1
        path = self._store(name)
        begun = path.exists() and bool(Store(path).runs())
        before = _entries(path) if begun else []
        self._live(case, name, None)
        problems = list(self._problems(case, name, before))
        report.points += 1
        report.kills += kills
        report.before_the_run += not begun
        report.by_case[case] += 1
        report.moments.append(moment)
        report.lost_calls += _answer(path).bill.lost_calls
        report.replayed_calls += sum("choices" in (entry.result or {}) for entry in before)
        report.failures += [f"FAILED {case} seed {seed} in {path}: {problem}" for problem in problems]

    def _live(self, case: Case, name: str, kill_after: float | None) -> bool:
        """One life of a run; True if it was killed.

        It is killed so many seconds after the run began, or if `kill_after` is negative, after the process began.
        """
        path = self._store(name)
        path.parent.mkdir(exist_ok=True)
        here, there = self._processes.Pipe()
        with here, there:
            arguments = (self._url, name, case.capabilities, case.spec, path, there)
            process = self._processes.Process(target=work, args=arguments)
            with self._looking:
                process.start()
            there.close()  # now the end of the process is the end of the pipe, too
            if kill_after is None or kill_after > 0:
                here.poll(PATIENCE)
            wait([process.sentinel], PATIENCE if kill_after is None else abs(kill_after))
        with self._looking:
            if process.is_alive():
                process.kill()
                process.join()
                assert kill_after is not None, f"{case} hangs in {path}"
                return True
            assert process.exitcode == 0, f"{case} ended with exit code {process.exitcode} in {path}:\n{said(path)}"
        return False

    def _store(self, name: str) -> Path:
        return self._folder / name / "runs.db"

    def _problems(self, case: Case, name: str, before: list[Entry]) -> Iterator[str]:
        """Where the resumed run differs from the undisturbed one, and what was asked too often."""
        after = _entries(self._store(name))
        # Calls that were lost after their branches had been given up: nobody asks again, and nobody knows their cost.
        lost = {_key(entry) for entry in after if "lost" in (entry.result or {})}
        given_up = lost - {_key(entry) for entry in after if "lost" not in (entry.result or {})}
        got, expected = _essence(_answer(self._store(name))), self._expected[case]
        prompt = sum(self._prompts[case][key] for key in given_up)
        got = dataclasses.replace(
            got,
            bill=dataclasses.replace(
                got.bill,
                calls=got.bill.calls + len(given_up),
                prompt_tokens=got.bill.prompt_tokens + prompt,
            ),
        )
        for one in dataclasses.fields(got):
            here, there = getattr(got, one.name), getattr(expected, one.name)
            if here != there:
                yield f"{one.name} is {here}, undisturbed {there}"
        answered = {_key(entry) for entry in before if "choices" in (entry.result or {})}
        again = answered & {_key(entry) for entry in after[len(before) :]}
        if again:
            yield f"answered calls were made again: {sorted(again)}"
        yield from _asked_too_often(self._log.received(name), after)


def _asked_too_often(received: Counter[int | None], entries: list[Entry]) -> Iterator[str]:
    """Every answered call reached the server once, every lost one at most once."""
    calls = [entry for entry in entries if entry.intent]
    answered = Counter(entry.intent["seed"] for entry in calls if "lost" not in (entry.result or {}))
    lost = Counter(entry.intent["seed"] for entry in calls if "lost" in (entry.result or {}))
    for seed in {*received, *answered}:
        if not answered[seed] <= received[seed] <= answered[seed] + lost[seed]:
            yield f"seed {seed}: asked {received[seed]} times, {answered[seed]} answered and {lost[seed]} lost"


def _moment(rng: random.Random) -> float:
    """When to kill, as a share of the run: anywhere, around its start (negative: before it), or around its end."""
    return rng.choice([rng.random(), rng.random(), rng.random(), rng.uniform(-0.1, 0.15), rng.uniform(0.85, 1.05)])


def _key(entry: Entry) -> Key:
    return entry.lane, entry.step, entry.part


def _entries(path: Path) -> list[Entry]:
    store = Store(path)
    try:
        return store.entries(store.run("last").id)
    finally:
        store.close()


def _answer(path: Path) -> Answer:
    store = Store(path)
    try:
        row = store.run("last")
        assert row.answer is not None, f"{path} has no answer"
        return Answer.from_dict(row.answer)
    finally:
        store.close()


def _essence(answer: Answer) -> Answer:
    """What no crash may change: all but the name, the time, and the count of lost calls."""
    bill: Mapping[str, Any] = {"seconds": 0, "lost_calls": 0}
    return dataclasses.replace(answer, run=None, bill=dataclasses.replace(answer.bill, **bill))


def main() -> None:
    parser = argparse.ArgumentParser(description="Kill runs at random moments and resume them.")
    parser.add_argument("--points", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", metavar="TEXT", default="", help="only cases with TEXT in their name")
    options = parser.parse_args()
    cases = [case for case in CASES if options.only in str(case)]
    if not cases:
        parser.error(f"no case has {options.only!r} in its name; there are {'; '.join(map(str, CASES))}")
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "calls.jsonl"
        with serving(log) as url:
            report = Campaign(url, log, Path(folder), cases).run(options.points, options.seed)
        sys.stdout.write(f"{report}\n{time.monotonic() - began:.0f} s, seed {options.seed}\n")
        sys.exit(1 if report.failures else 0)


if __name__ == "__main__":
    main()
