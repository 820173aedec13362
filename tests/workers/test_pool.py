"""Work that hangs, crashes or eats memory is given up, and what comes after it is done."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ponder.answers.equivalence import Equivalence
from ponder.core.errors import VerifierError
from ponder.workers.pool import Undecided, Workers

pytestmark = pytest.mark.anyio

PAIR = (r"\sqrt{8}", r"2\sqrt{2}")


@pytest.fixture
def pool() -> Iterator[Workers]:
    pool = Workers(size=1, seconds=1.0)
    yield pool
    pool.close()


@pytest.mark.parametrize("tower", [r"9^{9^{9^9}}", r"10^{10^{10}}", r"(x+y+z)^{2000}-(z+y+x)^{2000}"])
async def test_a_pair_that_would_take_for_ever_counts_as_different(pool: Workers, tower: str) -> None:
    equivalence = Equivalence(pool)
    assert not await equivalence.same(tower, "7")
    assert await equivalence.same(*PAIR)


async def test_a_pair_given_up_once_is_not_tried_again(pool: Workers) -> None:
    equivalence = Equivalence(pool)
    for _ in range(3):
        assert not await equivalence.same(r"(x+y+z)^{2000}-(z+y+x)^{2000}", "7")
    assert pool.jobs == 1


async def test_the_clock_stops_what_sleeps() -> None:
    """CPU time does not pass for a process that is stopped; the parent's own limit ends it."""
    pool, others = Workers(size=1, seconds=0.2), _children()
    try:
        await pool.run("search", "a", "a")
        (child,) = _children() - others
        os.kill(child, signal.SIGSTOP)
        with pytest.raises(Undecided):
            await pool.run("search", "a", "a")
        assert await pool.run("search", "a", "a")
    finally:
        pool.close()


async def test_a_crash_costs_one_job(pool: Workers) -> None:
    others = _children()
    assert await pool.run("search", "a", "a")
    (child,) = _children() - others
    hanging = pool.submit("search", "(a+)+$", "a" * 40 + "b")
    os.kill(child, signal.SIGKILL)
    with pytest.raises(Undecided):
        hanging.result()
    assert await pool.run("search", "a", "a")
    assert child not in _children()


async def test_memory_is_limited() -> None:
    pool = Workers(size=1, memory=256 << 20)
    try:
        assert await pool.run("valid", {}, "[1]")
        hungry = "[" + ",".join(["[]"] * 5_000_000) + "]"
        with pytest.raises(Undecided, match=r"MemoryError|crashed"):
            await pool.run("valid", {}, hungry)
        assert await pool.run("valid", {}, "[1]")
    finally:
        pool.close()


def test_one_event_loop_after_another(pool: Workers) -> None:
    equivalence = Equivalence(pool)
    assert asyncio.run(equivalence.same(*PAIR))
    assert asyncio.run(equivalence.same("x+1", "1+x"))
    assert asyncio.run(equivalence.same(*PAIR))
    assert pool.jobs == 2


def test_many_threads_with_loops_of_their_own(pool: Workers) -> None:
    equivalence = Equivalence(pool)
    pairs = [(f"x+{n}", f"{n}+x") for n in range(10)]
    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(lambda pair: asyncio.run(equivalence.same(*pair)), pairs))


async def test_giving_up_the_wait_disturbs_nobody(pool: Workers) -> None:
    equivalence = Equivalence(pool)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(equivalence.same(*PAIR), 0.001)
    assert await equivalence.same(*PAIR)


def test_a_program_from_standard_input_needs_no_main_guard() -> None:
    assert _python(_COMPARE).stdout == "True\n"


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks into /proc")
def test_workers_inherit_no_keys_and_end_with_their_parent() -> None:
    program = _COMPARE + "\nfrom ponder.workers.pool import shared_workers"
    program += "\n(worker,) = shared_workers()._processes"
    program += "\npid = worker._popen.pid"
    program += "\nprint(pid, b'SECRET' in open(f'/proc/{pid}/environ', 'rb').read(), flush=True)"
    program += "\nimport os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    pid, leaked = _python(program, SECRET_KEY="x").stdout.split()[1:]
    assert leaked == "False"
    while _runs(int(pid)):
        time.sleep(0.01)


async def test_a_worker_that_cannot_start_is_an_error_in_one_line(
    monkeypatch: pytest.MonkeyPatch, pool: Workers
) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(VerifierError, match="cannot start the process that compares answers"):
        await Equivalence(pool).same(*PAIR)


async def test_a_worker_that_lacks_its_library_is_an_error_in_one_line(
    monkeypatch: pytest.MonkeyPatch, pool: Workers, tmp_path: Path
) -> None:
    (tmp_path / "math_verify.py").write_text("raise ImportError('broken installation')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(VerifierError, match="does not work: ImportError: broken installation"):
        await Equivalence(pool).same(*PAIR)


_COMPARE = f"""
import asyncio
from ponder.answers import Answers
print(asyncio.run(Answers().same(*{PAIR!r})), flush=True)
"""


def _python(program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-"], input=program, capture_output=True, text=True, env={**os.environ, **environment}
    )


def _children() -> set[int]:
    listing = subprocess.run(["ps", "-wweo", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
    rows = (line.split(None, 2) for line in listing.splitlines())
    return {
        int(pid) for pid, parent, command in rows if int(parent) == os.getpid() and "ponder.workers.worker" in command
    }


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False
