"""Traces as an operator's collector gets them: a real gateway process, a real receiver of OTLP over HTTP."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

import openai
import pytest
from collector import CLIENT, ERROR, UNSET, Collector, collecting

sys.path.insert(0, str(Path(__file__).parents[1] / "api"))

from gateway_process import EXECUTABLE, Gateway, serving
from openai import OpenAI

from ponder.gateway.telemetry.traces import FLUSH
from tests.servers.chat import ChatServer, running
from tests.servers.faults import NAMED, status

ASK = [{"role": "user", "content": "What is the secret of 2 + 2?"}]
CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture(scope="module")
def _server() -> Iterator[ChatServer]:
    with running() as server:
        yield server


@pytest.fixture(scope="module")
def _collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


@pytest.fixture(scope="module")
def _gateway(_server: ChatServer, _collector: Collector, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with tracing(_server, _collector.url, tmp_path_factory.mktemp("traces")) as gateway:
        yield gateway


@pytest.fixture
def server(_server: ChatServer) -> ChatServer:
    """The upstream, with nothing behind it yet."""
    _server.reset()
    return _server


@pytest.fixture
def collector(_collector: Collector, client: OpenAI) -> Collector:
    """What takes the spans of the gateway, with nothing behind it yet."""
    _collector.forget()
    client.completions.create(model="test-model", prompt="Hello")  # its breaker forgets the faults of other tests
    _collector.roots(1)
    _collector.forget()
    return _collector


@pytest.fixture
def client(_gateway: Gateway, server: ChatServer) -> Iterator[OpenAI]:
    """The SDK, pointed at the gateway."""
    with _gateway.client as client:
        yield client


def tracing(server: ChatServer, collector: str, place: Path) -> AbstractContextManager[Gateway]:
    """The gateway in front of `server`, whose spans go to `collector` soon."""
    return serving(
        "--model", f"test-model@{server.url}", store=place / "runs.db", OPENAI_API_KEY="sk-of-the-gateway",
        OTEL_EXPORTER_OTLP_ENDPOINT=collector, OTEL_BSP_SCHEDULE_DELAY="100",
        OTEL_RESOURCE_ATTRIBUTES="deployment.environment.name=test",
    )  # fmt: skip


def test_a_run_and_its_calls(client: OpenAI, server: ChatServer, collector: Collector) -> None:
    reply = client.chat.completions.create(
        model="ponder/self-consistency(n=3)/test-model", messages=ASK, max_tokens=60,
        extra_headers={"traceparent": CALLER},
    )  # fmt: skip
    [run] = collector.roots(1)
    assert (run.name, run.status) == ("self-consistency test-model", UNSET)
    assert (run.trace, run.parent) == tuple(CALLER.split("-")[1:3]), "the client's trace goes on"
    assert run.attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "test-model",
        "gen_ai.usage.cache_read.input_tokens": reply.usage.prompt_tokens_details.cached_tokens,
        "gen_ai.usage.input_tokens": reply.usage.prompt_tokens,
        "gen_ai.usage.output_tokens": reply.usage.completion_tokens,
        "gen_ai.usage.reasoning.output_tokens": 0,
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "http.route": "/v1/chat/completions",
        "ponder.calls": 1,
        "ponder.confidence": reply.ponder["confidence"],
        "ponder.key": "anonymous",
        "ponder.queued_seconds": run.attributes["ponder.queued_seconds"],
        "ponder.run": reply.ponder["run"],
        "ponder.sequential_tokens": reply.ponder["sequential_tokens"],
        "ponder.stopped_because": "3 of 3 samples complete",
        "ponder.strategy": "self-consistency",
        "ponder.upstream": "upstream",
    }
    [call] = collector.below(run)
    assert (call.name, call.kind, call.status) == ("chat test-model", CLIENT, UNSET)
    assert call.attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.choice.count": 3,
        "gen_ai.request.max_tokens": 60,
        "gen_ai.request.model": "test-model",
        "gen_ai.response.finish_reasons": ["stop"] * 3,
        "gen_ai.usage.cache_read.input_tokens": reply.usage.prompt_tokens_details.cached_tokens,
        "gen_ai.usage.input_tokens": reply.usage.prompt_tokens,
        "gen_ai.usage.output_tokens": reply.usage.completion_tokens,
        "ponder.branches": call.attributes["ponder.branches"],
        "ponder.upstream": "upstream",
    }
    assert len(set(call.attributes["ponder.branches"])) == 3
    assert server.headers[-1]["traceparent"] == f"00-{call.trace}-{call.id}-01", "and on to the upstream"
    assert collector.resource["service.name"] == "ponder"
    assert collector.resource["deployment.environment.name"] == "test"


def test_streams_too(client: OpenAI, collector: Collector) -> None:
    for model in ("ponder/adaptive-consistency(n=4,threshold=1)/test-model", "test-model"):
        assert list(client.chat.completions.create(model=model, messages=ASK, stream=True))
    scaled, passed = collector.roots(2)
    assert scaled.trace != passed.trace
    assert len(collector.below(scaled)) == scaled.attributes["ponder.calls"] > 1
    assert len(collector.below(passed)) == 1
    for run in (scaled, passed):
        told = [call.attributes["gen_ai.usage.output_tokens"] for call in collector.below(run)]
        assert sum(told) == run.attributes["gen_ai.usage.output_tokens"] > 0


def test_what_passes_through_is_a_request_and_a_call(client: OpenAI, server: ChatServer, collector: Collector) -> None:
    reply = client.completions.create(model="test-model", prompt="Hello", extra_headers={"traceparent": CALLER})
    [run] = collector.roots(1)
    [call] = collector.below(run)
    assert (run.name, call.name) == ("text_completion test-model",) * 2
    assert run.trace == call.trace == CALLER.split("-")[1]
    assert run.attributes["gen_ai.usage.output_tokens"] == reply.usage.completion_tokens
    assert call.attributes["gen_ai.usage.output_tokens"] == reply.usage.completion_tokens
    assert "ponder.strategy" not in run.attributes
    forwarded = [value for name, value in server.headers[-1].items() if name.lower() == "traceparent"]
    assert forwarded == [f"00-{call.trace}-{call.id}-01"], "in the place of the client's"


@pytest.mark.parametrize("model", ["test-model", "ponder/self-consistency(n=2)/test-model"])
def test_what_fails_is_an_error(client: OpenAI, server: ChatServer, collector: Collector, model: str) -> None:
    server.faults.append(NAMED["401"])
    with pytest.raises(openai.APIStatusError) as error:
        client.chat.completions.create(model=model, messages=ASK)
    [failed] = collector.roots(1)
    assert failed.status == ERROR
    assert failed.attributes["http.response.status_code"] == error.value.status_code
    assert failed.attributes["error.type"] == error.value.code
    [call] = collector.below(failed)
    assert (call.status, call.attributes["error.type"]) == (ERROR, "401")


def test_what_the_upstream_refuses_itself_is_an_error(client: OpenAI, server: ChatServer, collector: Collector) -> None:
    server.faults.append(NAMED["429"])
    with pytest.raises(openai.RateLimitError):
        client.chat.completions.create(model="test-model", messages=ASK)
    [failed] = collector.roots(1)
    [call] = collector.below(failed)
    assert (failed.status, failed.attributes["error.type"]) == (ERROR, "429")
    assert (call.status, call.attributes["error.type"]) == (ERROR, "429")


def test_what_is_refused_is_an_error_without_a_call(client: OpenAI, collector: Collector) -> None:
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model="ponder/self-consistency(n=100)/test-model", messages=ASK)
    [refused] = collector.roots(1)
    assert (refused.status, refused.attributes["error.type"]) == (ERROR, "cap_exceeded")
    assert collector.below(refused) == []


def test_a_call_that_is_made_again_has_a_span_each_time(
    client: OpenAI, server: ChatServer, collector: Collector
) -> None:
    server.faults.append(NAMED["cut-midstream"])
    client.chat.completions.create(model="ponder/single/test-model", messages=ASK)
    [run] = collector.roots(1)
    first, second = collector.below(run)
    assert (run.status, first.status, second.status) == (UNSET, ERROR, UNSET)
    assert first.attributes["gen_ai.usage.output_tokens"] == 3, "what there was of it"


def test_a_call_that_is_cut_is_told_as_far_as_it_got(client: OpenAI, server: ChatServer, collector: Collector) -> None:
    server.token_latency = 0.2
    stream = client.chat.completions.create(model="ponder/single/test-model", messages=ASK, stream=True)
    next(piece for piece in stream if piece.choices[0].delta.content)
    stream.close()
    [run] = collector.roots(1)
    [call] = collector.below(run)
    assert call.attributes["ponder.cancelled"] is True
    assert run.status == call.status == UNSET
    assert run.attributes["gen_ai.usage.output_tokens"] == call.attributes["gen_ai.usage.output_tokens"] > 0


def test_never_what_was_said_and_never_a_key(client: OpenAI, server: ChatServer, collector: Collector) -> None:
    for model in ("test-model", "ponder/self-consistency(n=2)/test-model"):
        client.chat.completions.create(model=model, messages=ASK)
        server.faults.append(status(400, '{"error": {"message": "What is the secret of sk-of-the-gateway?"}}'))
        with pytest.raises(openai.APIStatusError):
            client.chat.completions.create(model=model, messages=ASK)
    assert len(collector.roots(4)) == 4
    for said in (b"secret of", b"Answer", b"boxed", b"sk-of-the"):
        assert said not in collector.raw


@pytest.mark.parametrize("listens", [False, True], ids=["nobody there", "never answers"])
def test_a_dead_collector_harms_nobody(server: ChatServer, tmp_path: Path, listens: bool) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=100) as silent:
        place = f"http://127.0.0.1:{silent.getsockname()[1] if listens else 9}"
        with tracing(server, place, tmp_path) as gateway, gateway.client as client, ThreadPoolExecutor(8) as pool:
            model = "ponder/self-consistency(n=2)/test-model"
            asked = [pool.submit(client.chat.completions.create, model=model, messages=ASK) for _ in range(24)]
            assert all(one.result().choices for one in asked)
            gateway.process.terminate()
            assert gateway.process.wait(timeout=10 * FLUSH) == 128 + signal.SIGTERM
    *lines, last = (tmp_path / "runs.log").read_text().splitlines()
    assert last == "ponder: terminated"
    assert len([json.loads(line) for line in lines]) >= 24, "what the exporter has to say is in the form of the log"


def test_without_being_asked_for_nothing_is_imported(server: ChatServer, tmp_path: Path) -> None:
    program = "import sys, ponder.gateway.server as s; s.traces.set_up(); print('opentelemetry' in sys.modules)"
    for environment in ({}, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://h:4318", "OTEL_TRACES_EXPORTER": "none"}):
        done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
        assert done.stdout == "False\n", done.stderr


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "OTEL_TRACES_EXPORTER='zipkin' is none of otlp, none"),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://h:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            "OTEL_EXPORTER_OTLP_PROTOCOL='grpc': traces go out by http/protobuf",
        ),
        ({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_BSP_MAX_QUEUE_SIZE": "1"}, "the variables OTEL_* are not in order"),
    ],
)
def test_what_cannot_be_traced_is_one_line(tmp_path: Path, environment: dict[str, str], said: str) -> None:
    done = subprocess.run(
        [EXECUTABLE, "serve", "--port", "0", "--model", "m@http://127.0.0.1:9/v1"],
        env={"PONDER_STORE": str(tmp_path / "runs.db"), **environment}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    assert said in line


def test_without_its_packages_it_says_so(tmp_path: Path) -> None:
    hide = "import sys; sys.modules['opentelemetry'] = None; from ponder.cli import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", hide, "serve", "--port", "0", "--model", "m@http://127.0.0.1:9/v1"],
        env={"PONDER_STORE": str(tmp_path / "runs.db"), "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"},
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    assert "OTEL_EXPORTER_OTLP_ENDPOINT asks for traces" in line
    assert "pip install 'ponder[otel]'" in line
