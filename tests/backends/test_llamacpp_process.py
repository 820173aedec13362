"""The embedded model as part of a process: it is quiet, ends with it, and never takes it down."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from ponder.backends.llamacpp import LlamaCpp
from ponder.backends.weights import resolve
from ponder.core.errors import WeightsError

MODEL = "local/smollm2-135m"
PRELUDE = """
import asyncio, sys
from pathlib import Path
from ponder.backends.llamacpp import LlamaCpp
from ponder.core.backend import Progress, Request

model = LlamaCpp("local/test", Path(sys.argv[1]), context=1024, slots=2)

def call(tokens, watch=None):
    request = Request(messages=({"role": "user", "content": "Tell me about the sea."},), max_tokens=tokens, n=2)
    return model.generate(request, Progress(watch=watch))
"""


@pytest.fixture(scope="module")
def weights() -> Path:
    try:
        return resolve(MODEL)
    except WeightsError as error:
        pytest.skip(f"{MODEL} is neither in the cache nor to be had: {error}")


def start(program: str, weights: Path, **environment: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-W", "error", "-c", PRELUDE + textwrap.dedent(program), str(weights)]
    return subprocess.Popen(
        command, env={**os.environ, **environment}, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def end(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Exit status, standard output, standard error."""
    try:
        output, errors = process.communicate(timeout=120)
    finally:
        process.kill()
    return process.returncode, output, errors


def test_a_program_that_closes_nothing_ends_in_silence(weights: Path) -> None:
    assert end(start("asyncio.run(call(8))", weights)) == (0, "", "")


def test_a_program_that_calls_nothing_ends_in_silence(weights: Path) -> None:
    assert end(start("", weights)) == (0, "", "")


def test_ctrl_c_during_a_call_ends_the_program_at_once(weights: Path) -> None:
    process = start("asyncio.run(call(900, lambda _: print('begun', flush=True)))", weights)
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    process.send_signal(signal.SIGINT)
    status, _, errors = end(process)
    assert status == -signal.SIGINT
    assert errors.splitlines()[-1] == "KeyboardInterrupt"


@pytest.mark.parametrize("last", ["loop.close()", "pass"])
def test_a_loop_that_is_left_with_a_call_under_way_does_no_harm(weights: Path, last: str) -> None:
    program = """
    async def leave():
        begun = asyncio.Event()
        leave.task = asyncio.ensure_future(call(900, lambda _: begun.set()))
        await begun.wait()

    loop = asyncio.new_event_loop()
    loop.run_until_complete(leave())
    """
    status, output, errors = end(start(textwrap.dedent(program) + last, weights))
    assert (status, output) == (0, "")
    assert "ponder-llamacpp" not in errors  # the name of the thread


@pytest.mark.parametrize(
    ("environment", "spins"),
    [({}, "3000"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "PASSIVE"}, "None")],
)
def test_threads_spin_shortly_unless_the_user_says_otherwise(
    weights: Path, environment: dict[str, str], spins: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GOMP_SPINCOUNT", raising=False)
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    program = "import os; print(os.environ.get('GOMP_SPINCOUNT'))"
    assert end(start(program, weights, **environment)) == (0, f"{spins}\n", "")


def half(content: bytes) -> bytes:
    return content[: len(content) // 2]


def header_only(content: bytes) -> bytes:
    return content[:20_000]


def no_tensors(content: bytes) -> bytes:
    return content[:8] + struct.pack("<Q", 0) + content[16:]


def other_kind(content: bytes) -> bytes:
    return content.replace(b"\x05\x00\x00\x00\x00\x00\x00\x00llama", b"\x05\x00\x00\x00\x00\x00\x00\x00lhama", 1)


def noise(content: bytes) -> bytes:
    return content[:8] + b"\xff" * 4096


@pytest.mark.parametrize("damage", [half, header_only, no_tensors, other_kind, noise])
def test_a_file_that_is_no_whole_model_is_one_clear_line(weights: Path, tmp_path: Path, damage: object) -> None:
    assert callable(damage)
    path = tmp_path / "model.gguf"
    path.write_bytes(damage(weights.read_bytes()))
    with pytest.raises(WeightsError) as failure:
        LlamaCpp("local/model", path)
    assert str(path) in str(failure.value)
    assert "\n" not in str(failure.value)


def test_loading_and_failing_to_load_print_nothing(
    weights: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(half(weights.read_bytes()))
    with pytest.raises(WeightsError):
        LlamaCpp("local/model", path)
    assert capfd.readouterr() == ("", "")
