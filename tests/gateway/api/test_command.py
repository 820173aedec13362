"""``ponder serve`` as a stranger meets it: what is wrong is said in one line, and it ends when it is told to."""

from __future__ import annotations

import signal
import socket
import subprocess
import threading
from pathlib import Path

import pytest
from gateway_process import EXECUTABLE, serving

from tests.servers.chat import ChatServer

DEAD = "m@http://127.0.0.1:9/v1"


def refusal(*options: str, store: Path, **environment: str) -> str:
    """What it says when it does not serve."""
    environment["PONDER_STORE"] = str(store)
    done = subprocess.run([EXECUTABLE, "serve", *options], capture_output=True, text=True, timeout=60, env=environment)
    assert (done.returncode, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    return line


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--model", "nonsense"], "model 'nonsense' is none of local/NAME"),
        (["--model", "local/smollm2"], "did you mean 'local/smollm2-135m'?"),
        (["--port", "99999"], "99999 is not in the range"),
        (["--host", "192.0.2.1", "--model", DEAD], "cannot listen on 192.0.2.1 port 8080"),
        (["--config", "/nowhere.toml"], "/nowhere.toml: cannot be read"),
        (["--config", "/nowhere.toml", "--model", DEAD], "give --model or --config, not both"),
        (["--check"], "--check needs a configuration"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path: Path, options: list[str], said: str) -> None:
    assert said in refusal(*options, store=tmp_path / "runs.db")


def test_a_damaged_key_is_found_before_anything_is_sent(tmp_path: Path) -> None:
    line = refusal("--model", DEAD, store=tmp_path / "runs.db", OPENAI_API_KEY="one\ntwo")
    assert line == "ponder: OPENAI_API_KEY holds characters that no key has; set it again"


@pytest.mark.parametrize("keyed", [False, True])
def test_the_line_to_try_names_a_key_where_one_is_asked_for(tmp_path: Path, keyed: bool) -> None:
    store = tmp_path / "runs.db"
    if keyed:
        subprocess.run([EXECUTABLE, "keys", "add", "alice"], env={"PONDER_STORE": str(store)}, check=True, timeout=60)
    with serving("--model", DEAD, store=store) as gateway:
        assert gateway.process.stdout is not None
        gateway.process.stdout.readline()
        assert ("$PONDER_KEY" in gateway.process.stdout.readline()) == keyed


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = refusal("--model", DEAD, "--port", str(port), store=tmp_path / "runs.db")
    assert line == f"ponder: cannot listen on 127.0.0.1 port {port}: Address already in use; choose another with --port"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_is_under_way_is_finished_when_it_is_told_to_stop(
    server: ChatServer, tmp_path: Path, number: signal.Signals
) -> None:
    server.latency = 1.0
    replies: list[object] = []
    with serving("--model", f"test-model@{server.url}", store=tmp_path / "runs.db") as gateway:

        def ask() -> None:
            with gateway.client as client:
                messages = [{"role": "user", "content": "Hello"}]
                replies.append(client.chat.completions.create(model="ponder/single/test-model", messages=messages))

        asking = threading.Thread(target=ask)
        asking.start()
        server.wait_for("received")
        gateway.process.send_signal(number)
        asking.join()
        assert gateway.process.wait(timeout=60) == 128 + number
    assert len(replies) == 1
