"""Runs that fail: one clear line with what was spent, the right exit code, nothing lost."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from command import EXECUTABLE, Ponder

from ponder.cli.terminal.open_model import ending_at_once
from tests.servers.chat import ChatServer
from tests.servers.faults import NAMED

FAULTS = {
    "401": "answered 401; set OPENAI_API_KEY: Invalid key",
    "404": "answered 404: check the address and the model's name",
    "503": "answered 503: Loading model",
    "half-json": "gave a reply that is no JSON",
    "not-utf8": "gave a reply that is not UTF-8",
    "cut-midstream": "closed the connection in the middle of its reply",
}


@pytest.mark.parametrize(("fault", "told"), FAULTS.items(), ids=FAULTS)
def test_what_a_server_does_wrong_is_one_line(
    ponder: Ponder, server: ChatServer, model: str, fault: str, told: str
) -> None:
    server.faults.extend([NAMED[fault]] * 4)
    failed = ponder("solve", "-m", model, "-s", "single", "what is the sum?")
    assert (failed.returncode, failed.stderr.count("\n")) == (2, 1)
    assert failed.stderr.startswith(f"ponder: {server.url} (model 'test-model') ")
    assert told in failed.stderr
    assert "(spent " in failed.stderr


def test_a_server_that_is_down_is_one_line(ponder: Ponder) -> None:
    failed = ponder("solve", "-m", "m@http://127.0.0.1:9/v1", "-s", "single", "what is the sum?")
    assert (failed.returncode, failed.stdout, failed.stderr.count("\n")) == (2, "", 1)
    assert "cannot reach http://127.0.0.1:9/v1 (model 'm'): Connection refused" in failed.stderr


@pytest.mark.parametrize(("fault", "text"), [("hang", ""), ("hang-midstream", "Once upon")])
def test_a_server_that_hangs_is_left_at_the_deadline(
    ponder: Ponder, server: ChatServer, model: str, fault: str, text: str
) -> None:
    """What had come by then is shown, but half a reply is no answer: scripts see it by the exit code."""
    server.faults.append(NAMED[fault])
    done = ponder("solve", "-m", model, "-s", "single", "-b", "seconds=0.5", "--json", "what is the sum?")
    assert (done.returncode, done.stderr) == (1, "")
    document = json.loads(done.stdout)
    assert (document["value"], document["text"], document["unvoted"]) == (None, text, bool(text))
    assert document["stopped_because"] == "the deadline passed"
    assert document["bill"]["calls"] == 1
    again = ponder("resume", "last")
    assert ("what had come of a reply when it broke off" in again.stdout) == bool(text)
    assert again.returncode == 1


def test_a_key_is_never_shown(ponder: Ponder, server: ChatServer, model: str) -> None:
    server.faults.append(NAMED["401"])
    failed = ponder("solve", "-m", model, "-s", "single", "?", OPENAI_API_KEY="sk-very-secret", PONDER_DEBUG="1")
    assert server.headers[-1]["Authorization"] == "Bearer sk-very-secret"
    assert failed.returncode == 2
    assert "very-secret" not in failed.stdout + failed.stderr


STRATEGIES = """
import asyncio
import sys
from ponder import Answer, Session, pick, strategy
from ponder.engine.live.driver import Live

Live.__init__.__kwdefaults__["patience"] = 1.0  # of ten seconds

@strategy()
async def sleeps(s: Session) -> Answer:
    await s.extend(await s.sample(2))
    await asyncio.sleep(1)

@strategy()
async def raises(s: Session) -> Answer:
    await s.extend(await s.sample(2))
    raise ValueError("this is\\nwrong")

@strategy()
async def loops(s: Session) -> Answer:
    await s.extend(await s.sample(2))
    while True:
        pass

@strategy()
async def acts(s: Session) -> Answer:
    while True:
        await s.clock()

@strategy()
async def forgets(s: Session) -> Answer:
    await s.extend(await s.sample(2))

@strategy()
async def quits(s: Session) -> Answer:
    await s.extend(await s.sample(2))
    sys.exit(3)

@strategy()
async def closes(s: Session) -> Answer:
    await s.extend(await s.sample(2))
    raise GeneratorExit

@strategy()
async def cancels(s: Session) -> Answer:
    await s.extend(await s.sample(2))
    raise asyncio.CancelledError

@strategy()
async def interrupts(s: Session) -> Answer:
    await s.extend(await s.sample(2))
    raise KeyboardInterrupt

@strategy()
async def works(s: Session, n: int = 2) -> Answer:
    return pick((await s.extend(await s.sample(n)))[-1], because="it works")
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    """Strategies that misbehave, each in its own way."""
    (tmp_path / "mine.py").write_text(STRATEGIES)
    return str(tmp_path / "mine.py")


MISTAKES = {
    "sleeps": "strategy sleeps awaited something that is no Session operation",
    "raises": "strategy raises raised ValueError: this is wrong",
    "loops": "strategy loops computed for more than 1 s without a Session operation",
    "acts": "strategy acts performed more than 100,000 actions",
    "forgets": "strategy forgets returned None",
    "quits": "strategy quits raised SystemExit: 3",
    "closes": "strategy closes raised GeneratorExit",
    "cancels": "strategy cancels raised CancelledError",
}


@pytest.mark.parametrize(("name", "told"), MISTAKES.items(), ids=MISTAKES)
def test_a_strategy_that_misbehaves_is_one_line_and_its_branches_are_kept(
    ponder: Ponder, model: str, file: str, name: str, told: str
) -> None:
    failed = ponder("solve", "-m", model, "--load", file, "-s", name, "what is the sum?")
    assert (failed.returncode, failed.stderr.count("\n")) == (1, 1)
    assert told in failed.stderr
    if name != "acts":
        assert "tokens in 1 call" in failed.stderr
        kept = json.loads(ponder("runs", "last", "--json").stdout)
        assert kept["status"] == "failed"
        assert [branch["ending"] for branch in kept["branches"]] == ["stop", "stop"]


def test_a_strategy_may_press_ctrl_c(ponder: Ponder, model: str, file: str) -> None:
    stopped = ponder("solve", "-m", model, "--load", file, "-s", "interrupts", "what is the sum?")
    assert (stopped.returncode, stopped.stderr.count("\n")) == (130, 1)
    assert stopped.stderr.startswith("ponder: interrupted (")
    assert "tokens in 1 call" in stopped.stderr
    assert json.loads(ponder("runs", "last", "--json").stdout)["status"] == "interrupted"


def test_a_strategy_of_ones_own_runs_and_resumes(ponder: Ponder, model: str, file: str) -> None:
    done = ponder("solve", "-m", model, "--load", file, "-s", "works(n=3)", "what is the sum?")
    assert done.returncode == 0
    assert "it works" in done.stdout
    assert "it works" in ponder("resume", "last", "--load", file).stdout
    assert "works" in ponder("strategies", "--load", file).stdout


LOADING = {
    "a mistake in it": ("1 / 0\n", "ZeroDivisionError: division by zero (line 1)"),
    "no Python": ("def def\n", "SyntaxError: invalid syntax"),
    "no strategy in it": ("x = 1\n", "registers no strategy; decorate a function in it with @ponder.strategy()"),
}


@pytest.mark.parametrize(("content", "told"), LOADING.values(), ids=LOADING)
def test_a_file_that_cannot_be_loaded_is_one_line(
    ponder: Ponder, model: str, tmp_path: Path, content: str, told: str
) -> None:
    (tmp_path / "mine.py").write_text(content)
    refused = ponder("solve", "-m", model, "--load", str(tmp_path / "mine.py"), "what is the sum?")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert told in refused.stderr


@pytest.mark.parametrize("place", ["/proc/nowhere/runs.db", "/dev/null/runs.db", "/"])
def test_a_store_that_cannot_be_written_is_one_line(ponder: Ponder, server: ChatServer, model: str, place: str) -> None:
    refused = ponder("solve", "-m", model, "what is the sum?", PONDER_STORE=place)
    assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (2, "", 1)
    assert f"the run store {place}" in refused.stderr
    assert "set PONDER_STORE to another place" in refused.stderr
    assert server.bodies == []


def test_a_disk_that_fills_up_costs_the_journal_and_not_the_answer(ponder: Ponder, model: str) -> None:
    ponder("runs")  # the store exists, then the disk is full
    limited = ponder.with_file_size(60)
    done = limited("solve", "-m", model, "-s", "adaptive-consistency(n=20,threshold=1)", "what is the sum?")
    assert (done.returncode, done.stderr) == (0, "")
    assert "this run cannot be resumed" in done.stdout
    assert "answer " in done.stdout


def third_call(server: ChatServer) -> None:
    """Wait until two calls are answered, read, and followed by another one."""
    with server.changed:
        assert server.changed.wait_for(lambda: len(server.bodies) >= 3, 60)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_settles_the_bill_and_gives_the_best_answer_so_far(
    ponder: Ponder, server: ChatServer, model: str, number: int, code: int
) -> None:
    server.token_latency = 0.05
    running = ponder.start("solve", "-m", model, "-s", "adaptive-consistency(threshold=1)", "--json", "what?")
    third_call(server)
    running.send_signal(number)
    out, err = running.communicate(timeout=60)
    assert (running.returncode, err) == (code, "")
    document = json.loads(out)
    assert document["status"] == "interrupted"
    assert document["stopped_because"] == {130: "interrupted", 143: "terminated"}[code]
    assert document["value"] in "1234"
    assert document["bill"]["calls"] == len(server.bodies)


def test_a_stopped_run_goes_on_to_the_answer_that_it_would_have_had(
    ponder: Ponder, server: ChatServer, model: str
) -> None:
    arguments = ["-m", model, "-s", "adaptive-consistency(n=6,threshold=1)", "--seed", "5", "--json", "what?"]
    whole = json.loads(ponder("solve", *arguments).stdout)
    server.token_latency = 0.05
    running = ponder.start("solve", *arguments)
    third_call(server)
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=60)
    server.token_latency = 0
    resumed = ponder("resume", "last", "--json")
    assert resumed.returncode == 0
    document = json.loads(resumed.stdout)
    assert document["status"] == "done"
    assert (document["value"], document["votes"]) == (whole["value"], whole["votes"])


@pytest.mark.parametrize("command", [["runs"], ["models"], ["strategies"]])
def test_a_closed_output_is_no_fault(ponder: Ponder, command: list[str]) -> None:
    closed = replace(ponder, limits=("bash", "-c", 'exec "$@" >&-', "bash"))
    done = closed(*command)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_closed_input_is_one_line(ponder: Ponder, model: str) -> None:
    closed = replace(ponder, limits=("bash", "-c", 'exec "$@" <&-', "bash"))
    refused = closed("solve", "-m", model, "-")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "standard input is closed" in refused.stderr


PRINTING = [
    ["--help"], ["--version"], ["solve", "--help"], ["runs"], ["config"], ["doctor"], ["keys", "list"], ["verifiers"],
    ["strategies"], ["models"], ["completion", "bash"], ["answer", "compare", "1", "2"], ["replay", "--orders", "2"],
]  # fmt: skip


@pytest.mark.parametrize("arguments", PRINTING, ids=" ".join)
def test_a_full_disk_under_the_output_is_one_line(ponder: Ponder, arguments: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [EXECUTABLE, *arguments], env=ponder.environment, stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert (done.returncode, done.stderr) == (2, "ponder: cannot write the output: No space left on device\n")


@pytest.mark.parametrize("closed", [">&-", "2>&-", "2>/dev/full"])
def test_a_stream_that_is_closed_or_full_is_no_failure_of_what_needs_none(ponder: Ponder, closed: str) -> None:
    command = f"{EXECUTABLE} config {closed}"
    done = subprocess.run(["bash", "-c", command], env=ponder.environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    wrong = subprocess.run(["bash", "-c", f"{EXECUTABLE} nope {closed}"], env=ponder.environment, capture_output=True)
    assert wrong.returncode == 2


@pytest.mark.parametrize("arguments", [["solve", "-"], ["answer", "extract", "-"]], ids=" ".join)
def test_a_closed_standard_input_is_one_line(ponder: Ponder, arguments: list[str]) -> None:
    command = f"{EXECUTABLE} {' '.join(arguments)} <&-"
    done = subprocess.run(["bash", "-c", command], env=ponder.environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "standard input is closed" in done.stderr


@pytest.mark.parametrize("arguments", [["answer", "extract", "-"], ["solve", "-"]], ids=" ".join)
def test_ctrl_c_while_it_waits_for_input_is_one_line(ponder: Ponder, arguments: list[str]) -> None:
    waiting = subprocess.Popen(
        [EXECUTABLE, *arguments], env=ponder.environment, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    interrupt_until_it_ends(waiting)
    assert waiting.stderr is not None
    assert waiting.returncode in (130, -signal.SIGINT)  # the latter before all of it was imported
    assert waiting.stderr.read() in ("ponder: interrupted\n", "")
    waiting.stderr.close()


@pytest.mark.parametrize(("number", "word"), [(signal.SIGINT, "interrupted"), (signal.SIGTERM, "terminated")])
def test_a_signal_ends_what_swallows_it_or_never_lets_go(number: signal.Signals, word: str) -> None:
    program = (
        "import contextlib, threading\n"
        "from ponder.cli.terminal.open_model import ending_at_once\n"
        "with ending_at_once():\n"
        "    print('here', flush=True)\n"
        "    while True:\n"
        "        with contextlib.suppress(BaseException):\n"
        "            threading.Event().wait()\n"
    )
    held = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert held.stdout is not None
    assert held.stdout.readline() == "here\n"
    held.send_signal(number)
    assert held.communicate(timeout=60)[1] == f"ponder: {word}\n"
    assert held.returncode == 128 + number


def test_afterwards_signals_are_as_they_were() -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    with ending_at_once():
        pass
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == before
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def interrupt_until_it_ends(process: subprocess.Popen[str]) -> None:
    """Press Ctrl-C, and again: the first may come in the moment between two reads."""
    while process.poll() is None:
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(1)
    assert process.stdin is not None
    process.stdin.close()
