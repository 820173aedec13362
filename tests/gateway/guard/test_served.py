"""The guardrails as a client meets them: a real gateway, in processes of its own, in front of a real server."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.servers.chat import ChatServer, running

EXECUTABLE = str(Path(sys.executable).with_name("ponder"))


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with running() as made:
        yield made


@contextmanager
def started(config: Path, log: list[str]) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run ``ponder serve`` until the block ends; its base URL and process. `log` gets the lines that it has logged."""
    process = subprocess.Popen(
        [EXECUTABLE, "serve", "--port", "0", "--config", str(config)],
        text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        first = process.stdout.readline()
        assert " at http://" in first, process.communicate(timeout=60)
        yield first.split(" at ")[1].split(";")[0], process
    finally:
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
        assert "Traceback" not in errors, errors
        log += errors.splitlines()


@contextmanager
def serving(config: Path) -> Iterator[str]:
    """Run ``ponder serve`` until the block ends; its base URL."""
    with started(config, []) as (url, _):
        yield url


@pytest.fixture
def config(tmp_path: Path, server: ChatServer) -> Path:
    path = tmp_path / "gateway.toml"
    path.write_text(f'''
[server]
store = "state.db"
[upstreams.vllm]
url = "{server.url}"
models = ["tiny"]
max_tokens = 400
[defaults]
strategy = "self-consistency(n=4)"
[keys.alice.limits]
tokens_per_day = 1000
[keys.bob.limits]
requests_per_minute = 2
[keys.bob.caps]
n = 4
''')
    return path


def key(config: Path, name: str) -> str:
    made = subprocess.run(
        [EXECUTABLE, "keys", "add", name, "--config", str(config)], capture_output=True, text=True, check=True
    )
    return made.stdout.strip()


def spent(config: Path, name: str) -> int:
    listed = subprocess.run(
        [EXECUTABLE, "keys", "list", "--json", "--config", str(config)], capture_output=True, text=True, check=True
    )
    return next(one["tokens"] for one in json.loads(listed.stdout) if one["name"] == name)  # type: ignore[no-any-return]


def ask(url: str, token: str | None, model: str = "tiny", **fields: Any) -> tuple[int, Any, dict[str, str]]:
    """One chat request: status, body, headers."""
    body = {"model": model, "messages": [{"role": "user", "content": "What is 2 + 2?"}], **fields}
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    request = urllib.request.Request(f"{url}/chat/completions", json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, json.load(response), dict(response.headers)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error), dict(error.headers)


def test_keys_caps_and_rates_hold_over_the_wire(config: Path, server: ChatServer) -> None:
    bob = key(config, "bob")
    with serving(config) as url:
        assert ask(url, None)[0] == ask(url, "pk-" + "0" * 16 + "-" + "x" * 43)[0] == 401
        status, body, _ = ask(url, bob, "ponder/self-consistency(n=5)/tiny")
        assert status == 400
        assert "5 branches; at most 4" in body["error"]["message"]
        assert server.bodies == [], "what is refused was never sent"
        assert ask(url, bob, "ponder/self-consistency(n=4)/tiny")[0] == 200
        status, body, headers = ask(url, bob)
        assert (status, body["error"]["code"]) == (429, "rate_limited")
        assert 0 < int(headers["retry-after"]) <= 30
    with serving(config) as url:
        assert ask(url, bob)[0] == 429, "a restart forgives nothing"


def test_a_revoked_key_is_refused_at_once(config: Path) -> None:
    alice = key(config, "alice")
    with serving(config) as url:
        assert ask(url, alice, max_tokens=20)[0] == 200
        subprocess.run([EXECUTABLE, "keys", "revoke", "alice", "-c", str(config)], check=True, capture_output=True)
        assert ask(url, alice, max_tokens=20)[0] == 401


def test_two_gateways_on_one_store_keep_one_budget(config: Path, server: ChatServer) -> None:
    alice = key(config, "alice")

    def request(one: tuple[str, str]) -> tuple[int, int]:
        url, model = one
        status, body, _ = ask(url, alice, model, max_tokens=60)
        return status, body["usage"]["completion_tokens"] if status == 200 else 0

    with serving(config) as first, serving(config) as second:
        done = [request((url, "ponder/single/tiny")) for url in (first, second)]
        work = [(url, model) for url in (first, second) for model in ("tiny", "ponder/self-consistency(n=8)/tiny")] * 12
        with ThreadPoolExecutor(8) as pool:
            done += pool.map(request, work)
    assert {status for status, _ in done} == {200, 429}
    booked = spent(config, "alice")
    assert sum(tokens for _, tokens in done) == booked <= 1000
    assert booked > 500, "the budget was used"


def get(url: str, path: str, token: str = "") -> tuple[int, str]:
    """An endpoint of the operator's: status, body."""
    request = urllib.request.Request(url.removesuffix("/v1") + path, headers={"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_the_operator_sees_what_was_spent_and_no_secret(config: Path) -> None:
    alice, metrics = key(config, "alice"), key(config, "metrics")
    log: list[str] = []
    with started(config, log) as (url, _):
        body = ask(url, alice, "ponder/self-consistency(n=3)/tiny", max_tokens=60)[1]
        tokens = body["usage"]["completion_tokens"]
        assert json.loads(get(url, "/health")[1])["upstreams"]["vllm"]["status"] == "ok"
        assert json.loads(get(url, "/ready")[1])["ready"] is True
        assert get(url, "/metrics", alice)[0] == 403
        status, page = get(url, "/metrics", metrics)
    assert status == 200
    assert f'ponder_tokens_total{{key="alice",kind="output",strategy="self-consistency"}} {tokens:.1f}' in page
    lines = [json.loads(line) for line in log if line.startswith("{")]
    [line] = [line for line in lines if line.get("endpoint")]
    expected = {"key": "alice", "model": "tiny", "strategy": "self-consistency", "status": 200, "tokens": tokens}
    assert {name: line[name] for name in expected} == expected
    told = "\n".join([*log, page])
    for secret in (alice, alice.split("-", 2)[2], "2 + 2"):
        assert secret not in told


def test_what_a_killed_gateway_had_reserved_stays_reserved(config: Path, server: ChatServer) -> None:
    alice = key(config, "alice")
    server.latency = 30
    with started(config, []) as (url, process), ThreadPoolExecutor(1) as pool:
        hanging = pool.submit(ask, url, alice, max_tokens=300)
        server.wait_for("received")
        assert spent(config, "alice") == 300
        process.kill()
        assert isinstance(hanging.exception(timeout=60), OSError)
    assert spent(config, "alice") == 300


def test_a_check_names_every_fault_with_its_line(config: Path) -> None:
    arguments = [EXECUTABLE, "serve", "--check", "--config", str(config)]
    checked = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")
    config.write_text("[server]\nprot = 1\n[caps]\nn = 0\n")
    checked = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert checked.returncode == 2
    assert [line.removeprefix(f"ponder: {config}:").split(":")[0] for line in checked.stderr.splitlines()] == ["2", "4"]


def test_a_call_that_is_given_up_is_charged_for_its_prompt(config: Path, server: ChatServer) -> None:
    alice, metrics = key(config, "alice"), key(config, "metrics")
    server.latency = 30
    log: list[str] = []
    with started(config, log) as (url, _):
        body = {"model": "tiny", "messages": [{"role": "user", "content": "x" * 4000}], "max_tokens": 9}
        headers = {"Authorization": f"Bearer {alice}", "X-Ponder-Deadline": "0.3"}
        with pytest.raises(urllib.error.HTTPError, match="504"):
            urllib.request.urlopen(
                urllib.request.Request(f"{url}/chat/completions", json.dumps(body).encode(), headers)
            )
        page = get(url, "/metrics", metrics)[1]
    assert 'ponder_tokens_total{key="alice",kind="prompt",strategy=""} 10' in page
    [line] = [json.loads(line) for line in log if '"endpoint"' in line]
    assert (line["status"], line["code"], line["calls"]) == (504, "upstream_timeout", 1)
    assert line["prompt_tokens"] > 1000
