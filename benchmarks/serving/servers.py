"""The servers that are measured: how each is started, and what it is asked."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from overhead.environments import ITS_HUB, LITELLM, OPTILLM, Environment

__all__ = [
    "FIXED",
    "PASS",
    "SAMPLES",
    "SERVERS",
    "STREAM",
    "VOTE",
    "WORDS",
    "Fields",
    "Place",
    "Running",
    "Server",
    "ask",
    "body_of",
    "running",
]

PASS, STREAM, VOTE = "pass-through", "stream", "self-consistency"
SAMPLES = 8
STARTING = 300.0
"""Seconds that a server may take to answer for the first time."""

QUESTION = (
    "This is item 0001. A warehouse receives crates on Monday, twice as many on Tuesday and half of the total on"
    " Wednesday, and sells a third of what it holds each evening. How many crates are left on Thursday morning?\n\n"
    'Think step by step. Then write "Answer:" followed by the final answer alone, as the last line.'
)

Fields = Mapping[str, Any]

FIXED: Fields = {"model": "fixed"}
WORDS: Fields = {"model": "words", "stream": True}
"""The model whose replies the upstream streams."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server runs: its programs, its folder, its port, and the base URL of the upstream behind it."""

    programs: Path
    folder: Path
    port: int
    upstream: str

    @property
    def root(self) -> str:
        """Its own URL."""
        return f"http://127.0.0.1:{self.port}"


@dataclass(frozen=True, slots=True)
class Server:
    """`command` starts it, `asks` are the fields of each kind of request that it knows, `prepare` comes before them."""

    name: str
    command: Callable[[Place], list[str]]
    asks: Mapping[str, Fields]
    environment: Environment | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    prepare: Callable[[Place], None] = lambda place: None


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers; `group` is that of its processes."""

    server: Server
    root: str
    group: int

    @property
    def url(self) -> str:
        """Where it takes chat completions."""
        return f"{self.root}/v1/chat/completions"


def body_of(fields: Fields) -> bytes:
    """The body of a request."""
    return json.dumps({**fields, "messages": [{"role": "user", "content": QUESTION}], "max_tokens": 1024}).encode()


def ask(url: str, body: bytes, seconds: float = 30.0) -> bytes:
    """Post JSON, and give the reply.

    Raises:
        OSError: there was no good one.
    """
    headers = {"Content-Type": "application/json", "Authorization": "Bearer none"}
    with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=seconds) as reply:
        data: bytes = reply.read()
        return data


@contextmanager
def running(server: Server, env_dir: Path, folder: Path, upstream: str) -> Iterator[Running]:
    """The server, in front of `upstream`, until the block ends; its files and its log are in `folder`.

    Raises:
        SystemExit: it does not answer.
    """
    python = server.environment.python(env_dir) if server.environment else Path(sys.executable)
    place = Place(python.parent, folder, _free_port(), upstream)
    folder.mkdir()
    log = folder / "log.txt"
    with log.open("w") as output:
        process = subprocess.Popen(
            server.command(place), stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=folder,
            env={**os.environ, "OPENAI_API_KEY": "none", **server.variables}, start_new_session=True,
        )  # fmt: skip
    try:
        _wait(server, place, process, log)
        yield Running(server, place.root, process.pid)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait(server: Server, place: Place, process: subprocess.Popen[bytes], log: Path) -> None:
    """Until it has answered one request of each kind."""
    until = time.monotonic() + STARTING
    while True:
        try:
            server.prepare(place)
            for fields in server.asks.values():
                ask(f"{place.root}/v1/chat/completions", body_of(fields))
        except OSError as error:
            if process.poll() is not None or time.monotonic() > until:
                tail = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
                raise SystemExit(f"{server.name} does not answer ({error}); the end of its log:\n{tail}") from None
            time.sleep(0.5)
        else:
            return


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _ponder(place: Place) -> list[str]:
    config = place.folder / "gateway.toml"
    config.write_text(f'[server]\nstore = "runs.db"\n[upstreams.fixed]\nurl = "{place.upstream}"\n'
                      'models = ["fixed", "words"]\nconcurrency = 256\n')  # fmt: skip
    return [str(place.programs / "ponder"), "serve", "--config", str(config), "--port", str(place.port)]


def _bare(place: Place) -> list[str]:
    script = Path(__file__).with_name("bare_proxy.py")
    return [str(place.programs / "python"), str(script), place.upstream.removesuffix("/v1"), str(place.port)]


def _litellm(place: Place) -> list[str]:
    config = place.folder / "config.yaml"
    models = [
        {"model_name": name, "litellm_params": {"model": f"openai/{name}", "api_base": place.upstream}}
        for name in ("fixed", "words")
    ]
    config.write_text(json.dumps({"model_list": models}))
    return [
        str(place.programs / "litellm"), "--config", str(config), "--host", "127.0.0.1", "--port", str(place.port),
        "--num_workers", "1",
    ]  # fmt: skip


def _optillm(place: Place) -> list[str]:
    script = Path(__file__).with_name("optillm_server.py")
    return [
        str(place.programs / "python"), str(script), str(SAMPLES), "--base-url", place.upstream,
        "--port", str(place.port),
    ]  # fmt: skip


def _its_hub(place: Place) -> list[str]:
    return [str(place.programs / "its-iaas"), "--port", str(place.port)]


def _configure_its_hub(place: Place) -> None:
    settings = {
        "endpoint": place.upstream, "api_key": "none", "model": "fixed", "alg": "self-consistency",
        "regex_patterns": [r"\\boxed\{([^}]+)\}"],
    }  # fmt: skip
    ask(f"{place.root}/configure", json.dumps(settings).encode())


SERVERS = (
    Server(
        "ponder", _ponder,
        {PASS: FIXED, STREAM: WORDS, VOTE: {"model": f"ponder/self-consistency(n={SAMPLES})/fixed"}},
    ),
    Server("uvicorn+aiohttp", _bare, {PASS: FIXED}),
    Server(
        "litellm", _litellm, {PASS: FIXED, STREAM: WORDS}, LITELLM,
        {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true"},
    ),
    Server(
        "optillm", _optillm, {PASS: {"model": "none-fixed"}, VOTE: {"model": "self_consistency-fixed"}}, OPTILLM,
    ),
    Server(
        "its_hub", _its_hub, {PASS: {"model": "fixed", "budget": 1}, VOTE: {"model": "fixed", "budget": SAMPLES}},
        ITS_HUB, prepare=_configure_its_hub,
    ),
)  # fmt: skip
