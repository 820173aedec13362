"""What the gateway is opened to: pages in a browser, embeddings, strategies of the operator's own."""

from __future__ import annotations

import json
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import OpenAI

from ponder.core.errors import UsageError
from ponder.gateway.config.file import check_config
from ponder.gateway.cors import check_origin
from tests.gateway.guard.test_served import EXECUTABLE, key, started
from tests.servers.chat import ChatServer, running
from tests.servers.faults import status

PAGE = "https://app.example"

OWN = """
import asyncio

import ponder

@ponder.strategy()
async def twice(s: ponder.Session) -> ponder.Answer:
    return ponder.vote(await s.extend(await s.sample(2)))
"""

ENDS = ["KeyboardInterrupt", "SystemExit", "GeneratorExit", "asyncio.CancelledError"]

FATAL = OWN + "".join(
    f"""
@ponder.strategy("ends-{number}")
async def ends(s: ponder.Session) -> ponder.Answer:
    await s.extend(await s.sample(2))
    raise {end}
"""
    for number, end in enumerate(ENDS)
)


@pytest.fixture(scope="module")
def server() -> Iterator[ChatServer]:
    with running() as made:
        yield made


@pytest.fixture(scope="module")
def served(server: ChatServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str, Path, list[str]]]:
    """The base URL of a gateway, a key for it, its configuration, and its log."""
    folder = tmp_path_factory.mktemp("open")
    (folder / "mine.py").write_text(FATAL)
    config = folder / "gateway.toml"
    config.write_text(f'''
[server]
store = "state.db"
origins = ["{PAGE}"]
strategies = ["mine.py"]
[upstreams.vllm]
url = "{server.url}"
models = ["tiny", "org/name"]
price = "1000/1000"
[upstreams.here]
url = "local/smollm2-135m"
models = ["smollm2-135m"]
[keys.alice.limits]
usd = 1
[keys.bob.limits]
requests_per_minute = 2
''')
    alice, log = key(config, "alice"), list[str]()
    with started(config, log) as (url, _):
        yield url, alice, config, log


def call(url: str, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, dict[str, str], str]:
    data = None if body is None else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url + path, data, {"Content-Type": "application/json", **named}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, {k.lower(): v for k, v in response.headers.items()}, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, {k.lower(): v for k, v in error.headers.items()}, error.read().decode()


def chat(**fields: Any) -> dict[str, Any]:
    return {"model": "tiny", "messages": [{"role": "user", "content": "What is 2 + 2?"}], "max_tokens": 20, **fields}


Served = tuple[str, str, Path, list[str]]


def test_a_preflight_is_answered_without_a_key(served: Served) -> None:
    asked = {
        "Access_Control_Request_Method": "POST",
        "Access_Control_Request_Headers": "authorization,content-type,x-ponder-deadline,x-stainless-os",
    }
    code, headers, _ = call(served[0], "OPTIONS", "/chat/completions", Origin=PAGE, **asked)
    assert code in (200, 204)
    assert headers["access-control-allow-origin"] == PAGE
    assert {"authorization", "x-ponder-deadline"} <= set(headers["access-control-allow-headers"].split(","))
    assert "POST" in headers["access-control-allow-methods"]
    code, headers, _ = call(served[0], "OPTIONS", "/chat/completions", Origin="https://evil.example", **asked)
    assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize("body", [chat(), chat(stream=True), chat(model="ponder/single/tiny", stream=True)])
def test_answers_and_streams_may_be_read_by_the_page(served: Served, server: ChatServer, body: dict[str, Any]) -> None:
    url, alice, *_ = served
    code, headers, _ = call(url, "POST", "/chat/completions", body, Origin=PAGE, Authorization=f"Bearer {alice}")
    assert (code, headers["access-control-allow-origin"]) == (200, PAGE)
    assert {"x-ponder-run", "x-ponder-strategy"} <= set(headers["access-control-expose-headers"].lower().split(", "))
    assert "origin" not in {name.lower() for name in server.headers[-1]}, "an upstream might refuse it"
    code, headers, _ = call(
        url, "POST", "/chat/completions", body, Origin="https://e.x", Authorization=f"Bearer {alice}"
    )
    assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize("path", ["/chat/completions", "/embeddings", "/nothing"])
def test_errors_may_be_read_by_the_page(served: Served, path: str) -> None:
    code, headers, text = call(served[0], "POST", path, chat(), Origin=PAGE)
    assert code in (401, 404)
    assert headers["access-control-allow-origin"] == PAGE
    assert json.loads(text)["error"]["message"]


def test_without_origins_there_are_no_such_headers(server: ChatServer, tmp_path: Path) -> None:
    config = tmp_path / "plain.toml"
    config.write_text(f'[server]\nstore = "s.db"\n[upstreams.vllm]\nurl = "{server.url}"\n')
    server.faults.append(status(200, **{"Access-Control-Allow-Origin": "*"}))
    with started(config, []) as (url, _):
        for _ in range(2):
            _, headers, _ = call(url, "POST", "/chat/completions", chat(), Origin=PAGE)
            assert not [name for name in headers if name.startswith("access-control")]


@pytest.mark.parametrize("origin", ["*", PAGE, "http://localhost:3000", "http://[::1]:80", "chrome-extension://abcdef"])
def test_origins(origin: str) -> None:
    if origin == "http://[::1]:80":
        with pytest.raises(UsageError, match=r"browsers send 'http://\[::1\]'"):
            check_origin(origin)
    else:
        check_origin(origin)


@pytest.mark.parametrize(
    "origin",
    ["", "app.example", PAGE + "/", PAGE + "/page", "https://App.example", "https://*.example", "http://a:b", 3,
     "http://a?", "https://a.example:443", "http://user@a"],
)  # fmt: skip
def test_what_no_browser_sends_is_a_fault_of_the_configuration(origin: object, tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text(f"[server]\norigins = [{json.dumps(origin)}]\n")
    [wrong] = check_config(path)
    assert wrong.startswith(f"{path}:2: server")


def test_models_one_by_one(served: Served) -> None:
    url, alice, *_ = served
    client = OpenAI(base_url=url, api_key=alice, max_retries=0)
    listed = [model.id for model in client.models.list()]
    assert set(listed) == {"tiny", "org/name", "smollm2-135m"}
    for name in [*listed, "ponder/self-consistency(n=4)/org/name", "ponder/twice/tiny"]:
        assert client.models.retrieve(name).id == name
        assert call(url, "GET", f"/models/{name}", Authorization=f"Bearer {alice}")[0] == 200
    for name in ["org/nam", "nothing", "ponder/nothing/tiny", "ponder/single(n=0)/tiny"]:
        with pytest.raises(openai.NotFoundError) as refused:
            client.models.retrieve(name)
        assert refused.value.code == "not_found"
    with pytest.raises(openai.AuthenticationError):
        OpenAI(base_url=url, api_key="pk-wrong").models.retrieve("tiny")


def test_embeddings_pass_through_and_are_booked(served: Served, server: ChatServer) -> None:
    url, alice, config, _ = served
    client, before = OpenAI(base_url=url, api_key=alice, max_retries=0), usd(config)
    made = client.embeddings.create(model="tiny", input=["one", "three"], encoding_format="float")
    assert [one.embedding for one in made.data] == [[0.5, 3], [0.5, 5]]
    assert usd(config) - before == pytest.approx(8 * 1000 / 1e6), "eight tokens were read"
    assert server.bodies[-1] == {"model": "tiny", "input": ["one", "three"], "encoding_format": "float"}
    server.faults.append(status(404, text='{"error": {"message": "no embeddings here", "code": "nope"}}'))
    with pytest.raises(openai.NotFoundError, match="no embeddings here"):
        client.embeddings.create(model="tiny", input="a")
    for model, kind in (("smollm2-135m", openai.BadRequestError), ("ponder/single/tiny", openai.NotFoundError)):
        with pytest.raises(kind):
            client.embeddings.create(model=model, input="a")
    with pytest.raises(openai.RateLimitError, match="usd"):
        client.embeddings.create(model="tiny", input="a" * 2000)
    with pytest.raises(openai.AuthenticationError):
        OpenAI(base_url=url, api_key="pk-wrong").embeddings.create(model="tiny", input="a")


def usd(config: Path) -> float:
    arguments = [EXECUTABLE, "keys", "list", "--json", "--config", str(config)]
    listed = json.loads(subprocess.run(arguments, capture_output=True, text=True, check=True).stdout)
    return next(one["usd"] for one in listed if one["name"] == "alice")  # type: ignore[no-any-return]


def test_a_strategy_of_the_operators_own_is_chosen_by_name_and_never_by_path(
    served: Served, server: ChatServer
) -> None:
    url, alice, config, _ = served
    asked = len(server.bodies)
    code, headers, _ = call(
        url, "POST", "/chat/completions", chat(model="ponder/twice/tiny"), Authorization=f"Bearer {alice}"
    )
    drawn = sum(body.get("n") or 1 for body in server.bodies[asked:])
    assert (code, headers["x-ponder-strategy"], drawn) == (200, "twice", 2)
    for name in (str(config.parent / "mine.py"), "mine.py", "mine:twice"):
        body = chat(ponder={"strategy": name})
        assert call(url, "POST", "/chat/completions", body, Authorization=f"Bearer {alice}")[0] == 400


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("number", "end"), list(enumerate(ENDS)))
def test_a_strategy_that_would_end_the_program_ends_its_run(
    number: int, end: str, stream: bool, served: Served, server: ChatServer
) -> None:
    url, alice, config, _ = served
    before = usd(config)
    body = chat(model=f"ponder/ends-{number}/tiny", stream=stream)
    code, _, text = call(url, "POST", "/chat/completions", body, Authorization=f"Bearer {alice}")
    assert code == 500 or (stream and code == 200)
    assert f"strategy ends-{number} raised {end.removeprefix('asyncio.')} (" in text
    assert '"code":"run_failed"' in text.replace(" ", "")
    assert usd(config) > before, "it is on the bill"
    assert call(url, "POST", "/chat/completions", chat(), Authorization=f"Bearer {alice}")[0] == 200


@pytest.mark.parametrize(
    ("source", "text", "words"),
    [
        ("gone.py", None, "No such file"),
        ("bad.py", "1 / 0", "ZeroDivisionError: division by zero (line 1)"),
        ("bad.py", "x = 1", "registers no strategy"),
        ("bad.py", OWN.replace("twice", "single"), "defines 'single', which Ponder has already"),
        ("no_such_module:twice", None, "cannot import no_such_module"),
        ("json:loads", None, "json:loads is function, not a strategy"),
        ("json:load_", None, "did you mean 'load'?"),
        ("/etc/passwd", None, "neither a Python file (NAME.py) nor MODULE:NAME"),
    ],
)
def test_a_bad_strategy_is_one_line_at_the_start(source: str, text: str | None, words: str, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / source).write_text(text)
    config = tmp_path / "gateway.toml"
    config.write_text(f'[server]\nstrategies = ["{source}"]\n')
    arguments = [EXECUTABLE, "serve", "--port", "0", "--config", str(config)]
    ended = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=60)
    assert (ended.returncode, ended.stdout, len(ended.stderr.splitlines())) == (2, "", 1)
    assert words in ended.stderr
    assert f"{config}:2: server.strategies: " in ended.stderr


def test_requests_a_minute_count_what_the_page_says(served: Served) -> None:
    """Counted: everything that asks a model, refused or not. Not: looking, and what this limit itself refuses."""
    url, _, config, _ = served
    bob = f"Bearer {key(config, 'bob')}"
    for path in ("/models", "/models/tiny", "/runs/nothing"):
        for _ in range(3):
            assert call(url, "GET", path, Authorization=bob)[0] in (200, 404)
    assert call(url, "POST", "/embeddings", {"model": "nothing", "input": "a"}, Authorization=bob)[0] == 404
    assert call(url, "POST", "/chat/completions", {}, Authorization=bob)[0] == 400
    waits = [call(url, "POST", "/completions", chat(), Authorization=bob) for _ in range(3)]
    assert {code for code, _, _ in waits} == {429}
    assert all(int(headers["retry-after"]) <= 30 for _, headers, _ in waits), "asking again does not prolong the wait"
