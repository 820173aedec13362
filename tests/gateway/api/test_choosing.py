"""Who decides which model and which strategy answers, and what is said of names that nobody knows."""

from __future__ import annotations

import openai
import pytest
from openai import OpenAI

import ponder.strategies  # noqa: F401 - registers them
from ponder.backends.scripted import Scripted
from ponder.core.errors import UsageError
from ponder.gateway.choosing import choose
from ponder.gateway.settings import Config, Defaults, Key, Upstream
from ponder.gateway.upstreams.models import Models
from ponder.gateway.upstreams.routes import Routes
from ponder.gateway.wire.fields import Head, Ponder
from tests.servers.chat import ChatServer

ASK = [{"role": "user", "content": "Hello"}]
CONFIG = Config(
    upstreams={
        "home": Upstream(name="home", url="local/tiny"),
        "cluster": Upstream(name="cluster", url="http://c/v1", models=("qwen", "org/llama", "esc/odd")),
        "any": Upstream(name="any", url="http://a/v1"),
    },
    defaults=Defaults(strategy="adaptive-consistency@0.5", models={"org/llama": "esc"}),
)
CLOSED = Config(upstreams={name: CONFIG.upstreams[name] for name in ("home", "cluster")}, defaults=CONFIG.defaults)


def chosen(
    model: str, asked: Ponder | None = None, effort: str | None = None, default: str | None = None,
    config: Config = CONFIG,
) -> tuple[str, str, str | None]:  # fmt: skip
    """Upstream, model and strategy."""
    models = Models(config, {"home": Scripted(["x"], name="local/tiny")}, Routes(config).breakers)
    head = Head(model=model, reasoning_effort=effort)
    made = choose(head, asked, models, config, Key(name="k", strategy=default))
    return made.served.upstream.name, made.served.model, made.plan.spec if made.plan else None


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("qwen", ("cluster", "qwen", None)),
        ("gpt-5", ("any", "gpt-5", None)),
        ("org/llama", ("cluster", "org/llama", "esc")),
        ("local/tiny", ("home", "local/tiny", "single")),
        ("tiny", ("home", "tiny", "single")),
        ("ponder/qwen", ("cluster", "qwen", "adaptive-consistency@0.5")),
        ("ponder/org/llama", ("cluster", "org/llama", "esc")),
        ("ponder/local/tiny", ("home", "local/tiny", "adaptive-consistency@0.5")),
        ("ponder/single/qwen", ("cluster", "qwen", "single")),
        ("ponder/cmc@0.5/qwen", ("cluster", "qwen", "cmc@0.5")),
        ("ponder/self-consistency(n=4)/org/llama", ("cluster", "org/llama", "self-consistency(n=4)")),
        ("ponder/adaptive-consistency@0.5(threshold=0.9)/local/tiny",
         ("home", "local/tiny", "adaptive-consistency@0.5(threshold=0.9)")),
        ("ponder/controller:esc/gpt/5", ("any", "gpt/5", "controller:esc")),
        ("ponder/single/esc/odd", ("cluster", "esc/odd", "single")),
    ],
)  # fmt: skip
def test_a_name_says_the_model_and_perhaps_the_strategy(model: str, expected: tuple[str, str, str | None]) -> None:
    assert chosen(model) == expected


def test_who_has_the_last_word_on_the_strategy() -> None:
    everything = {"asked": Ponder(strategy="single"), "default": "best-of-n"}
    assert chosen("ponder/cmc@0.5/org/llama", **everything)[2] == "cmc@0.5"
    assert chosen("org/llama", **everything)[2] == "single"
    assert chosen("org/llama", default="best-of-n")[2] == "best-of-n"
    assert chosen("org/llama")[2] == "esc"
    assert chosen("qwen", effort="high")[2] == "adaptive-consistency@0.75"
    assert chosen("qwen")[2] is None


def test_who_has_the_last_word_on_the_effort() -> None:
    assert chosen("ponder/cmc@0.1/qwen", Ponder(effort=0.2), "high")[2] == "cmc@0.1"
    assert chosen("ponder/cmc/qwen", Ponder(effort=0.2), "high")[2] == "cmc@0.2"
    assert chosen("ponder/cmc/qwen", None, "high")[2] == "cmc@0.75"
    assert chosen("ponder/self-consistency(n=4)/qwen", Ponder(n=9), "high")[2] == "self-consistency(n=4)"
    assert chosen("ponder/self-consistency/qwen", Ponder(n=9))[2] == "self-consistency(n=9)"
    assert chosen("tiny", None, "low")[2] == "adaptive-consistency@0.25"


def test_a_model_that_nobody_knows_passes_untouched_unless_asked_otherwise() -> None:
    assert chosen("gpt-5", effort="high")[2] is None
    assert chosen("gpt-5", effort="what the vendor likes")[2] is None
    assert chosen("gpt-5", Ponder(effort=0.3))[2] == "adaptive-consistency@0.3"
    assert chosen("gpt-5", default="single")[2] == "single"


@pytest.mark.parametrize(
    ("model", "asked", "effort", "said"),
    [
        ("qwan", None, None, "no model 'qwan'; did you mean 'qwen'?"),
        ("ponder/single/qwan", None, None, "no model 'qwan'; did you mean 'qwen'?"),
        ("xyz", None, None, "no model 'xyz'; there are local/tiny, qwen, org/llama, esc/odd"),
        ("ponder/self-consistenci/qwen", None, None, "did you mean 'self-consistency'?"),
        ("ponder/single(n=3)/qwen", None, None, "unknown option of single 'n'"),
        ("ponder/self-consistency(n=0)/qwen", None, None, "n=0"),
        ("ponder/cmc@7/qwen", None, None, "effort"),
        ("qwen", Ponder(strategy="best-of"), None, "did you mean 'best-of-n'?"),
        ("qwen", Ponder(strategy="single", n=3), None, "unknown option of single 'n'"),
        ("qwen", None, "frantic", "reasoning_effort: 'frantic' is none of none, minimal, low, medium, high, xhigh"),
        ("ponder/", None, None, "no model ''"),
    ],
)
def test_a_wrong_name_is_told_the_nearest(model: str, asked: Ponder | None, effort: str | None, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        chosen(model, asked, effort, config=CLOSED)
    assert said in str(caught.value)


def test_the_field_of_the_body_and_the_effort_over_the_wire(client: OpenAI, server: ChatServer) -> None:
    extra = {"ponder": {"strategy": "self-consistency", "n": 3, "budget": "tokens=20k"}}
    reply = client.chat.completions.with_raw_response.create(model="test-model", messages=ASK, extra_body=extra)
    assert reply.headers["x-ponder-strategy"] == "self-consistency(n=3)"
    reply = client.chat.completions.with_raw_response.create(
        model="ponder/self-consistency/test-model", messages=ASK, reasoning_effort="low"
    )
    assert reply.headers["x-ponder-strategy"] == "self-consistency@0.25"
    assert "reasoning_effort" not in server.bodies[-1]


def test_a_wrong_strategy_over_the_wire(client: OpenAI, server: ChatServer) -> None:
    with pytest.raises(openai.BadRequestError, match="did you mean 'self-consistency'"):
        client.chat.completions.create(model="ponder/self-consistancy/test-model", messages=ASK)
    assert server.bodies == []


def test_the_models_are_listed(client: OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["test-model"]
