"""Steps: every extension gets to the next blank line and beyond, whatever the server makes of it."""

from __future__ import annotations

import ast
import asyncio
import re
from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp import web
from rig import Literally, Memory, live, plan, virtually

from ponder import asolve
from ponder.backends.llamacpp import LlamaCpp
from ponder.backends.openai import OpenAI
from ponder.backends.openai.address import Wire
from ponder.backends.scripted import Scripted
from ponder.backends.weights import resolve
from ponder.core.answer import Answer
from ponder.core.backend import Capability, Request
from ponder.core.branch import Branch
from ponder.core.completion import Choice
from ponder.core.errors import MissingCapability, WeightsError
from ponder.core.methods.registry import Strategy
from ponder.core.problem import Problem
from ponder.core.session import Session
from ponder.core.settings import Settings
from ponder.core.voting.vote import vote
from ponder.engine.live.driver import Live
from ponder.engine.methods import parse_spec
from ponder.engine.resume.journal import Recorded
from ponder.engine.simulation import drive
from ponder.replay.play.recorded_branches import Pool
from ponder.replay.play.recorded_branches import Recorded as Sample
from tests.kill.programs import NAMES
from tests.servers.chat import ChatServer, running
from tests.servers.replies import Said

assert "step-beam" in NAMES


async def walk(s: Session, tokens: int | None = None) -> Answer:
    """One branch, step by step; `stopped_because` is the list of the steps."""
    [branch] = await s.sample(1)
    steps: list[str] = []
    while branch.live and len(steps) < 30:
        before = branch
        branch = await s.extend(branch, until="step", tokens=tokens)
        if branch.text != before.text or branch.thinking != before.thinking:
            steps.append(branch.thinking[len(before.thinking) :] + branch.text[len(before.text) :])
    return vote([branch], because=str(steps))


WALK = Strategy.of(walk)

CASES = [
    ("One.\n\nTwo.\n\nAnswer: 3", ["One.\n\n", "Two.\n\n", "Answer: 3"]),
    ("Answer: 3", ["Answer: 3"]),
    ("\n\nOne.\n\nAnswer: 3", ["\n\nOne.\n\n", "Answer: 3"]),  # a leading blank line is no step
    ("\n\n\n\n\n\nOne.\n\nAnswer: 3", ["\n\n\n\n\n\nOne.\n\n", "Answer: 3"]),
    ("One.\n\n\n\nTwo.\n\nAnswer: 3", ["One.\n\n", "\n\nTwo.\n\n", "Answer: 3"]),
    ("One.\n\n\n\n\n\n\n\nB.\n\nC.\n\nAnswer: 3", ["One.\n\n", "\n\n\n\n\n\nB.\n\n", "C.\n\n", "Answer: 3"]),
    ("One.\n\nAnswer: 3\n\n", ["One.\n\n", "Answer: 3\n\n"]),  # a boundary that is the end of the reply, too
    ("<think>Hm.\n\nOh.</think>One.\n\nAnswer: 3", ["Hm.\n\n", "Oh.One.\n\n", "Answer: 3"]),
    ("<think>\nHm.\n\nOh.\n</think>\n\nOne.\n\nAnswer: 3", ["Hm.\n\n", "Oh.One.\n\n", "Answer: 3"]),
]


def steps_of(answer: Answer) -> list[str]:
    found: list[str] = ast.literal_eval(answer.stopped_because)
    return found


@pytest.mark.parametrize(("text", "steps"), CASES)
def test_steps_of_a_scripted_model(text: str, steps: list[str]) -> None:
    model = Scripted([text])
    answer = virtually(asolve("?", strategy=WALK, model=model))
    [branch] = answer.branches
    whole = virtually(asolve("?", strategy="single", model=Scripted([text])))
    assert [step.strip("\n") for step in steps_of(answer)] == [step.strip("\n") for step in steps]
    assert (branch.ending, answer.value) == ("stop", "3")
    assert (branch.text, branch.thinking) == (whole.branches[0].text, whole.branches[0].thinking)
    assert branch.tokens + answer.bill.discarded_tokens == answer.bill.total_tokens


@pytest.mark.parametrize("tokens", [1, 2, 3])
def test_a_step_that_the_limit_cuts_goes_on_later(tokens: int) -> None:
    text = "One two three four five.\n\nSix seven.\n\nAnswer: 3"
    model = Scripted([text])
    answer = virtually(asolve("?", strategy=plan(walk, tokens=tokens), model=model))
    assert answer.branches[0].text == text
    assert answer.bill.total_tokens == len(text.split())
    assert any(step.endswith("five.\n\n") for step in steps_of(answer))


def test_a_model_that_says_only_blank_lines_ends_at_the_limit() -> None:
    def blank(request: Request, index: int) -> Choice:
        return Choice("", 2, "boundary") if request.stop else Choice("\n\n\n\n", 4, "length")

    model = Scripted(blank)
    answer = virtually(asolve("?", strategy=WALK, model=model, max_tokens=60))
    assert answer.branches[0].tokens <= 60
    assert model.calls <= 60


def test_who_cannot_continue_is_refused_before_the_first_token() -> None:
    model = Scripted(["Answer: 3"], capabilities={Capability.SAMPLE})
    with pytest.raises(MissingCapability, match="cannot extend step by step"):
        virtually(asolve("?", strategy=WALK, model=model))
    assert model.calls == 0


def test_forks_at_a_step_go_on_from_it() -> None:
    async def forked(s: Session) -> Answer:
        [branch] = await s.extend(await s.sample(1), until="step")
        assert branch.text == "One.\n\n"
        left, right = await s.extend(await s.fork(branch, 2), until="step")
        assert left.text == right.text == "One.\n\nTwo.\n\n"
        return vote(await s.extend([left, right]))

    async def main() -> Answer:
        return await live(forked, Scripted(["One.\n\nTwo.\n\nAnswer: 3"])).run()

    answer = virtually(main())
    assert answer.votes == {"3": 2}
    assert answer.bill.total_tokens == 1 + 1 + 1 + 2 + 2


def test_a_run_cut_off_at_any_write_goes_on_step_by_step() -> None:
    text = "\n\nOne.\n\n\n\nTwo.\n\nAnswer: 3"

    async def life(journal: Memory, recorded: Recorded | None = None) -> Answer:
        settings = Settings(max_tokens=50)
        run = Live(
            plan(walk), Problem.of("?"), Scripted([text]), answers=Literally(), settings=settings, seed=7,
            journal=journal, recorded=recorded,
        )  # fmt: skip
        return await run.run()

    whole = Memory()
    calm = virtually(life(whole))
    assert len(whole.entries) > 5
    for dies in range(1, 2 * len(whole.entries)):
        journal = Memory(dies=dies)
        virtually(life(journal))
        again = virtually(life(journal, journal.recorded()))
        assert (again.stopped_because, again.value) == (calm.stopped_because, calm.value)


def test_recorded_branches_are_walked_by_their_text() -> None:
    text = "\n\nOne two three.\n\nFour five.\n\nAnswer: 3\n\n"
    answer = drive(WALK.plan(), Problem.of("?"), Pool([Sample("3", 12, text=text)]))
    assert steps_of(answer) == ["\n\nOne two three.\n\n", "Four five.\n\n", "Answer: 3\n\n"]
    assert (answer.value, answer.bill.total_tokens) == ("3", 12)
    short = drive(plan(walk, tokens=2), Problem.of("?"), Pool([Sample("3", 12, text=text)]))
    assert (short.value, short.bill.total_tokens, short.branches[0].text) == ("3", 12, text)


# Real servers, and what they make of a stop string.

PLAIN = [{"role": "user", "content": "?"}]
STORY = "One, two.\n\nThree, four.\n\nFive.\n\nAnswer: 3"


def begun(body: dict[str, Any]) -> str:
    """What the reply begins with."""
    if "prompt" in body:
        return str(body["prompt"]).partition("\n\n")[2]
    last = body["messages"][-1]
    return str(last["content"]) if last["role"] == "assistant" else ""


def tell(body: dict[str, object], *, trims: bool, includes: bool, names: bool) -> Said:
    """A server that says STORY; it may trim what it continues, leave the stop string in, or not name it."""
    prefix = begun(body).rstrip() if trims else begun(body)
    while "\n\n\n" in prefix:
        prefix = prefix.replace("\n\n\n", "\n\n")
    rest = STORY[len(prefix) :] if STORY.startswith(prefix) else ""
    stops = [stop for stop in body.get("stop") or [] if stop in rest]  # type: ignore[attr-defined]
    end = rest.find(stops[0]) if stops else len(rest)
    shown = rest[: end + len(stops[0])] if stops and includes else rest[:end]
    words = [word for word in shown.split(" ") if word] if shown else []
    tokens = [word if i == 0 else " " + word for i, word in enumerate(words)]
    most = int(body.get("max_tokens") or 99)  # type: ignore[call-overload]
    if len(tokens) > most:
        return Said(tokens[:most], "length")
    return Said(tokens, "stop", stops[0] if stops and names else None)


@pytest.fixture(scope="module")
def server() -> Iterator[ChatServer]:
    with running() as server:
        yield server


@pytest.mark.parametrize(("wire", "stream"), [("chat", False), ("chat", True), ("text", False)])
@pytest.mark.parametrize("names", [True, False])
@pytest.mark.parametrize("includes", [True, False])
@pytest.mark.parametrize("trims", [False, True])
def test_steps_over_a_socket(
    server: ChatServer,
    monkeypatch: pytest.MonkeyPatch,
    trims: bool,
    includes: bool,
    names: bool,
    wire: Wire,
    stream: bool,
) -> None:
    server.reset()
    monkeypatch.setattr(server, "says", lambda body, index: tell(body, trims=trims, includes=includes, names=names))
    monkeypatch.setattr(server, "names_stops", names)
    backend = OpenAI(server.url, "test-model", server="vllm", wire=wire)

    async def run() -> Answer:
        try:
            watch = (lambda branch, text, tokens: None) if stream else None
            return await asolve(PLAIN, strategy=WALK, model=backend, watch=watch)
        finally:
            await backend.aclose()

    answer = asyncio.run(run())
    squeezed = ["".join(step.split()) for step in steps_of(answer)]
    assert [step for step in squeezed if step] == ["One,two.", "Three,four.", "Five.", "Answer:3"]
    assert (answer.branches[0].ending, answer.value) == ("stop", "3")
    assert "".join(answer.branches[0].text.split()) == "".join(STORY.split())
    assert len(server.bodies) < 20


THOUGHT = "<think>\nHm, so.\n\nOh, yes.\n</think>\n\nOne.\n\nAnswer: 3"


def think(body: dict[str, Any], *, always: bool) -> dict[str, Any]:
    """A choice of a server that keeps reasoning apart; `always` also where that had ended before (older vLLM)."""
    prefix, at = begun(body), 0
    for letter in "".join(prefix.split()):  # it is asked to go on from there, whatever became of white space
        at = THOUGHT.index(letter, at) + 1
    if prefix != prefix.rstrip():
        at = len(THOUGHT) - len(THOUGHT[at:].lstrip())
    rest = THOUGHT[at:]
    stops = [stop for stop in body.get("stop") or [] if stop in rest]
    said = rest.partition(stops[0])[0] if stops else rest
    words = re.findall(r"\s*\S+", said)[: body["max_tokens"]]
    finish = "length" if len("".join(words)) < len(said.rstrip()) else "stop"
    said = "".join(words) if finish == "length" else said
    before, closed, after = said.removeprefix("<think>").partition("</think>")
    over = "</think>" in prefix and not always
    reasoning, content = ("", said) if over else (before, after) if closed or "<think>" in prefix + said else ("", said)
    message = {"role": "assistant", "content": content or None, "reasoning_content": reasoning or None}
    named = stops[0] if stops and finish == "stop" else None
    return {"index": 0, "message": message, "finish_reason": finish, "stop_reason": named}


@pytest.mark.parametrize("always", [False, True])
def test_steps_of_reasoning_that_the_server_keeps_apart(server: ChatServer, always: bool) -> None:
    server.reset()

    async def answer(request: web.Request) -> web.StreamResponse:
        choice = think(await request.json(), always=always)
        said = f"{choice['message']['reasoning_content']} {choice['message']['content']}"
        usage = {"prompt_tokens": 1, "completion_tokens": max(1, len(said.split()))}
        return web.json_response({"choices": [choice], "usage": usage})

    server.faults.extend([answer] * 40)

    async def run() -> Answer:
        backend = OpenAI(server.url, "test-model", server="vllm")
        try:
            return await asolve(PLAIN, strategy=WALK, model=backend)
        finally:
            await backend.aclose()

    result = asyncio.run(run())
    [branch] = result.branches
    assert ["".join(step.split()) for step in steps_of(result) if step.strip()] == [
        "Hm,so.",
        "Oh,yes.",
        "One.",
        "Answer:3",
    ]
    assert (branch.ending, result.value) == ("stop", "3")
    assert ("".join(branch.thinking.split()), "".join(branch.text.split())) == ("Hm,so.Oh,yes.", "One.Answer:3")
    server.reset()


@pytest.mark.parametrize("spec", ["step-beam"])
def test_a_beam_search_over_http(server: ChatServer, spec: str) -> None:
    server.reset()

    async def run() -> Answer:
        backend = OpenAI(server.url, "test-model", server="vllm")
        try:
            return await asolve("What is 17 * 23?", strategy=parse_spec(spec), model=backend, seed=3, max_tokens=400)
        finally:
            await backend.aclose()

    answer = asyncio.run(run())
    assert int(answer.stopped_because.split()[0]) >= 3
    assert answer.value is not None
    assert any(branch.parent for branch in answer.branches)
    assert_whole(answer)


def assert_whole(answer: Answer) -> None:
    """No branch stands still, and what was produced is what was paid for."""
    by_id = {branch.id: branch for branch in answer.branches}

    def own(branch: Branch) -> int:
        return branch.tokens - (by_id[branch.parent].tokens if branch.parent else 0)

    assert sum(map(own, answer.branches)) <= answer.bill.output_tokens
    assert not any("\n\n\n\n\n\n" in branch.text for branch in answer.branches)


def test_a_beam_search_on_the_embedded_model() -> None:
    try:
        weights = resolve("local/smollm2-135m")
    except WeightsError as error:
        pytest.skip(f"the model is neither in the cache nor to be had: {error}")

    async def run() -> Answer:
        model = LlamaCpp("local/smollm2-135m", weights, context=2048, slots=4)
        try:
            question = "Write four short paragraphs about the four seasons, with a blank line after each."
            asked = [{"role": "user", "content": question}]
            return await asolve(asked, strategy=parse_spec("step-beam"), model=model, seed=5, max_tokens=200)
        finally:
            await model.aclose()

    answer = asyncio.run(run())
    assert int(answer.stopped_because.split()[0]) >= 2
    longest = max((branch.text for branch in answer.branches), key=len)
    assert len([part for part in longest.split("\n\n") if part.strip()]) >= 2
    assert_whole(answer)
