"""Parameters that a model does not take are left out, renamed, or asked for in another way, once."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import ponder
from ponder.api import aresume
from ponder.backends.openai import OpenAI
from ponder.backends.openai.refusals import refused
from ponder.core.answer import Answer
from ponder.core.backend import Capability, Progress, Request
from ponder.core.errors import InvalidOption, MissingCapability, Rejected
from ponder.core.methods.registry import strategy
from ponder.core.session import Session
from ponder.core.voting.vote import vote
from ponder.store.opening import open_store
from tests.servers.faults import status
from tests.servers.replies import Said
from tests.servers.strict import WORDS, strict

pytestmark = pytest.mark.anyio

ASK = Request(messages=({"role": "user", "content": "What is 1+1?"},), max_tokens=100)


@pytest.mark.parametrize("says", WORDS)
@pytest.mark.parametrize("name", ["temperature", "top_p", "seed", "max_tokens", "stop", "frequency_penalty"])
async def test_a_refused_parameter_is_dropped_once_and_remembered(says: str, name: str) -> None:
    request = replace(ASK, temperature=0.5, top_p=0.9, seed=3, stop=("\n",), options={"frequency_penalty": 0.1})
    with strict(name, says=says) as server:
        for calls in (2, 3):  # another backend of the process knows it, too
            async with aclosing(OpenAI(server.url, "m", capabilities=["+seed"])) as backend:
                progress = Progress()
                assert (await backend.generate(request, progress)).choices[0].text
            assert len(server.bodies) == calls
        assert name not in server.bodies[-1]
        assert progress.refused == 0
        others = {"temperature", "top_p", "seed", "stop", "frequency_penalty"} - {name}
        assert others <= server.bodies[-1].keys()
        assert server.bodies[-1].get("max_tokens", server.bodies[-1].get("max_completion_tokens")) == 100


async def test_many_refusals_come_to_an_end() -> None:
    names = ("temperature", "top_p", "max_tokens", "seed", "stream_options", "n")
    with strict(*names) as server:
        async with aclosing(OpenAI(server.url, "m", capabilities=["+seed", "+n"])) as backend:
            progress = Progress()
            completion = await backend.generate(replace(ASK, n=3, top_p=0.9, seed=1, stream=True), progress)
        assert len(completion.choices) == 3
        assert progress.refused == len(names)
        assert len(server.bodies) == 1 + progress.more == len(names) + 3
        assert names[0] not in server.bodies[-1]


@pytest.mark.parametrize("name", ["tools", "messages", "model", "response_format"])
async def test_what_the_question_is_made_of_is_never_dropped(name: str) -> None:
    options = {"tools": [{"type": "function"}], "response_format": {"type": "json_object"}}
    with strict(name) as server:
        async with aclosing(OpenAI(server.url, "m")) as backend:
            with pytest.raises(Rejected, match=name):
                await backend.generate(replace(ASK, options=options), Progress())
        assert len(server.bodies) == 1


@pytest.mark.parametrize("kind", ["openai", "groq", "litellm", "mistral", "azure"])
@pytest.mark.parametrize("stream", [False, True])
async def test_choices_that_one_call_does_not_give_come_from_calls_at_the_same_time(kind: str, stream: bool) -> None:
    with strict("n", says=kind) as server:
        async with aclosing(OpenAI(server.url, "m", capabilities=["+n", "+seed"])) as backend:
            progress = Progress()
            completion = await backend.generate(replace(ASK, n=4, seed=5, stream=stream), progress)
            assert Capability.N not in backend.capabilities
        assert len({choice.text for choice in completion.choices}) == 4
        assert [body["seed"] for body in server.bodies[1:]] != [5, 5, 5, 5]
        assert completion.usage.output == sum(choice.tokens for choice in completion.choices)
        assert completion.usage.prompt == 4 * 3
        assert (progress.more, progress.refused) == (4, 1)
        if stream:
            assert progress.texts == [choice.text for choice in completion.choices]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_server_that_ignores_n_is_asked_for_the_rest(stream: bool) -> None:
    with strict(deaf=True) as server:
        async with aclosing(OpenAI(server.url, "m", capabilities=["+n", "+seed"])) as backend:
            progress = Progress()
            completion = await backend.generate(replace(ASK, n=3, seed=5, stream=stream), progress)
        assert len({choice.text for choice in completion.choices}) == 3
        assert len(server.bodies) == 3
        assert progress.more == 2
        assert completion.usage.prompt == 9


@pytest.mark.parametrize("says", [words for words in WORDS if words != "openai, for the value"])
async def test_log_probabilities_that_are_refused_are_a_missing_capability(says: str) -> None:
    with strict("logprobs", says=says) as server:
        async with aclosing(OpenAI(server.url, "m", capabilities=["+logprobs"])) as backend:
            for _ in range(2):
                with pytest.raises(MissingCapability, match="logprobs"):
                    await backend.generate(replace(ASK, logprobs=3), Progress())
        assert len(server.bodies) == 1


async def test_a_stop_string_that_is_not_taken_is_cut_here() -> None:
    with strict("stop") as server:
        async with aclosing(OpenAI(server.url, "m")) as backend:
            (choice,) = (await backend.generate(replace(ASK, stop=("\n",)), Progress())).choices
    assert "\n" not in choice.text
    assert choice.finish == "boundary"


RANGES = {
    "a temperature out of range": (
        {"temperature": 1.9},
        '{"error": {"message": "temperature: between 0 and 1", "param": "temperature"}}',
    ),
    "a limit that is too large": (
        {"max_tokens": 9000},
        '{"error": {"message": "max_tokens is too large: 9000. It takes at most 4096", "param": "max_tokens"}}',
    ),
    "a context that is too long": (
        {},
        '{"error": {"message": "maximum context length is 9 tokens, you sent 11 messages", "param": "messages"}}',
    ),
    "nothing that was sent": ({}, '{"error": {"message": "Unknown parameter: foo", "param": "foo"}}'),
}


@pytest.mark.parametrize("what", RANGES)
async def test_a_value_that_is_wrong_stays_an_error(what: str) -> None:
    changed, text = RANGES[what]
    with strict("model") as server:
        server.words = lambda name, value: (400, text)  # type: ignore[attr-defined]
        async with aclosing(OpenAI(server.url, "m")) as backend:
            with pytest.raises(Rejected):
                await backend.generate(replace(ASK, **changed), Progress())
        assert len(server.bodies) == 1


SENTENCES = {
    "`temperature` and `top_p` cannot both be specified for this model. Please use only one.": ["top_p"],
    "Argument not supported on this model: frequencyPenalty": ["frequency_penalty"],
    "Logprobs is not supported for the current model.": ["logprobs"],
    "invalid temperature: only 1 is allowed for this model": ["temperature"],
    "n must be 1": ["n"],
    "n: Input should be 1": ["n"],
    "Please stop; the user has no seed\\n\\nleft": [],
    'Invalid JSON. Unknown name "seed": Cannot find field.\nUnknown name "top_p": Cannot find field.': [
        "seed",
        "top_p",
    ],
    "unknown field: parameter stop": ["stop"],
}


@pytest.mark.parametrize("sentence", SENTENCES)
def test_a_sentence_names_parameters(sentence: str) -> None:
    sent = ["model", "temperature", "top_p", "n", "seed", "stop", "user", "logprobs", "frequency_penalty"]
    text = json.dumps({"error": {"message": sentence}})
    assert [refusal.field for refusal in refused(text, sent)] == SENTENCES[sentence]


def test_the_bill_counts_refused_calls_and_no_tokens_for_them() -> None:
    with strict("temperature") as server:
        answer = ponder.solve("What is 1+1?", strategy="single", model=f"m@{server.url}")
        assert (answer.bill.calls, answer.bill.retries, answer.bill.failed_calls) == (2, 1, 1)
        assert answer.notes == ()
        again = ponder.solve("What is 1+1?", strategy="single", model=f"m@{server.url}", temperature=0.2)
        assert (again.bill.calls, again.bill.retries) == (1, 0)
        assert any("temperature is left out" in note for note in again.notes)


def test_a_vote_goes_on_where_n_is_refused() -> None:
    with strict("n", "temperature") as server:
        spec = f"m@{server.url}?caps=+n,+seed"
        answer = ponder.solve("What is 1+1?", strategy="self-consistency(n=4)", model=spec, seed=1)
        assert len([branch for branch in answer.branches if branch.answer]) == 4
        assert answer.bill.calls == len(server.bodies)


def test_a_budget_in_calls_holds_when_parameters_are_refused() -> None:
    with strict("temperature") as server:
        answer = ponder.solve("What is 1+1?", strategy="single", model=f"m@{server.url}", budget="calls=1")
        assert (answer.value, answer.bill.calls, len(server.bodies)) == (None, 1, 1)


def test_a_verifier_is_told_what_the_model_does_not_offer() -> None:
    with strict("logprobs") as server, pytest.raises(MissingCapability, match="logprobs"):
        ponder.solve("?", strategy="best-of-n(n=2)", verifier="p-yes", model=f"m@{server.url}?caps=+logprobs")


def test_a_seed_without_effect_is_said_once() -> None:
    with strict("seed") as server:
        for spec in (f"m@{server.url}", f"m@{server.url}?caps=+seed"):
            answer = ponder.solve("What is 1+1?", strategy="self-consistency(n=2)", model=spec, seed=7)
            assert len([note for note in answer.notes if "the seed was not used" in note]) == 1
        assert not any("seed" in note for note in ponder.solve("What is 1+1?", model=spec).notes)


def test_nothing_is_sent_that_nobody_has_set() -> None:
    with strict() as server:
        ponder.solve("What is 1+1?", strategy="single", model=f"m@{server.url}")
        assert server.bodies[0].keys() <= {"model", "messages", "max_tokens", "temperature", "stream", "stream_options"}


SPECS = {
    "m@http://gpu/v1?kind=vlm": "known: unknown, openai, openrouter",
    "m@http://gpu/v1?caps=+sed": "known: sample, continue, logprobs",
    "m@http://gpu/v1?caps=+seed,n": "put a sign before each",
    "m@http://gpu/v1?cap=+seed": "known: kind=KIND and caps=",
    "m@http://gpu/v1?kind=vllm&kind=vllm": "kind is given twice",
}


@pytest.mark.parametrize("spec", SPECS)
def test_a_wrong_declaration_names_what_is_known(spec: str) -> None:
    with pytest.raises(InvalidOption) as caught:
        ponder.connect(spec)
    assert SPECS[spec] in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_spec_declares_kind_and_capabilities_and_opens_again() -> None:
    backend = ponder.connect("openai/gpt-4o-mini?kind=vllm&caps=+thinking-budget,-n")
    assert Capability.N not in backend.capabilities
    assert Capability.CONTINUE in backend.capabilities
    assert backend.name == "openai/gpt-4o-mini?kind=vllm&caps=+thinking-budget,-n"
    assert ponder.connect(backend.name).capabilities == backend.capabilities
    for spec in ("openai/gpt-4o-mini", "m@https://openrouter.ai/api/v1"):
        assert {Capability.LOGPROBS, Capability.SEED} <= ponder.connect(spec).capabilities


async def _twice(s: Session) -> Answer:
    """Three samples, and three more."""
    branches = [*await s.extend(await s.sample(3))]
    return vote([*branches, *await s.extend(await s.sample(3))])


def test_a_run_goes_on_although_the_model_has_refused_seed_and_n_since(tmp_path: Path) -> None:
    twice = strategy("twice-three")(_twice)
    store = open_store(tmp_path / "runs.db")
    with strict("n", "seed") as server:
        words = server.says

        def says(body: dict[str, Any], index: int) -> Said:
            if sum("seed" not in body for body in server.bodies) == 3:  # the second three are refused
                server.faulty["m"] = status(401)
            return words(body, index)

        server.says = says
        spec = f"m@{server.url}?caps=+n,+seed"
        ponder.solve("What is 1+1?", strategy=twice, model=spec, store=store, seed=1)
        assert store.run("last").status == "failed"
        server.faulty.clear()
        server.says = words
        answer = asyncio.run(aresume("last", store))
    assert [branch.ending for branch in answer.branches] == ["stop"] * 6
