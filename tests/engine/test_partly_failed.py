"""One choice of several fails: the others stay, it alone is asked for again, and the answer says why it failed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web
from crash import Crash, draw, life
from rig import Memory, Model, said

from ponder.api import asolve
from ponder.backends.openai import OpenAI
from ponder.core.answer import Answer
from ponder.core.backend import Capability, Progress, Request
from ponder.core.budget import Budget
from ponder.core.completion import Completion, Usage
from ponder.core.errors import BrokenReply, BudgetExhausted, PartlyFailed
from ponder.engine.methods import parse_spec
from tests.servers import faults
from tests.servers.chat import ChatServer, running
from tests.servers.faults import Fault, chunk, event

TOKENS = 5
"""Of each choice that the server's faults make, as it says."""


def ask(server: ChatServer, n: int = 2, kind: str = "+n", timeout: float = 20, **options: Any) -> Answer:
    """A question whose answer takes `n` choices."""

    async def main() -> Answer:
        capabilities = ["+n"] if kind == "+n" else ["-n"]
        backend = OpenAI(server.url, "test-model", server="unknown", capabilities=capabilities, timeout=timeout)
        strategy = f"self-consistency(n={n})"
        try:
            return await asolve("What is 2 + 2?", strategy=strategy, model=backend, max_tokens=64, **options)
        finally:
            await backend.aclose()

    return asyncio.run(main())


def choice(index: int, **fields: Any) -> dict[str, Any]:
    return {"index": index, "message": {"content": "Answer: 4"}, "finish_reason": "stop", **fields}


def whole(*choices: dict[str, Any]) -> Fault:
    usage = {"prompt_tokens": 7, "completion_tokens": TOKENS * len(choices)}
    return faults.body(json.dumps({"choices": choices, "usage": usage}).encode())


GOOD = [chunk("Answer: 4", finish="stop")]
USAGE = event({"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 2 * TOKENS}})
DONE = b"data: [DONE]\n\n"

WHOLE = {
    "it says that it failed": (whole(choice(0), choice(1, finish_reason="error")), "ended a reply with 'error'"),
    "an error in its place": (whole(choice(0), choice(1, error={"message": "out of memory"})), "out of memory"),
    "it has no message": (whole(choice(0), choice(1, message=None)), "neither 'message' nor 'text'"),
    "the first one": (whole(choice(0, finish_reason="network_error"), choice(1)), "'network_error'"),
}

STREAMED = {
    "it says that it failed": (faults.stream([*GOOD, chunk("It", index=1, finish="error"), USAGE, DONE]), "'error'"),
    "an error in its place": (
        faults.stream([*GOOD, event({"choices": [{"index": 1, "error": {"message": "out of memory"}}]}), USAGE, DONE]),
        "out of memory",
    ),
    "it does not end": (faults.stream([*GOOD, chunk("It", index=1), USAGE, DONE]), "choice 1 was not finished"),
    "the connection breaks": (faults.stream([*GOOD, chunk("It", index=1)], "cut"), "in the middle of its reply"),
    "silence": (faults.stream([*GOOD, chunk("It", index=1)], "hang"), "no sign of life"),
    "nonsense": (faults.stream([*GOOD, b"data: {\n\n"]), "no JSON"),
}


@pytest.mark.parametrize("name", WHOLE)
def test_the_other_one_stays_and_the_cause_is_told(name: str) -> None:
    fault, _ = WHOLE[name]
    again = whole(choice(0, finish_reason="error"))
    with running(ChatServer(owner="me")) as server:
        server.faults.extend([fault, again, again, again])
        answer = ask(server)
    assert answer.value == "4"
    [note] = answer.notes
    assert note.startswith("1 of 2 samples failed: ")
    assert "ended a reply with 'error'" in note
    assert [body.get("n", 1) for body in server.bodies] == [2, 1, 1, 1]
    bill = answer.bill
    assert bill.output_tokens == 5 * TOKENS
    assert bill.discarded_tokens == 5 * TOKENS - answer.branches[0].tokens - answer.branches[1].tokens
    assert (bill.calls, bill.retries, bill.failed_calls, bill.prompt_tokens) == (4, 3, 4, 4 * 7)


@pytest.mark.parametrize("name", WHOLE)
def test_the_failed_one_alone_is_asked_for_again(name: str) -> None:
    with running(ChatServer(owner="me")) as server:
        server.faults.extend([WHOLE[name][0], whole(choice(0))])
        answer = ask(server)
    assert (answer.value, answer.confidence, answer.notes) == ("4", 1.0, ())
    assert [body.get("n", 1) for body in server.bodies] == [2, 1]
    assert answer.bill.output_tokens == 3 * TOKENS
    assert answer.bill.discarded_tokens == 3 * TOKENS - sum(branch.tokens for branch in answer.branches)


@pytest.mark.parametrize("name", STREAMED)
def test_the_same_in_a_stream(name: str) -> None:
    fault, cause = STREAMED[name]
    told = cause.replace("'", "")
    rejected = faults.status(400, json.dumps({"error": {"message": f"{told}, for good"}}))
    with running(ChatServer(owner="me")) as server:
        server.faults.extend([fault, rejected])
        answer = ask(server, timeout=1, budget="seconds=60")
    assert answer.value == "4"
    assert told in str(answer.notes)
    assert [body.get("n", 1) for body in server.bodies] == [2, 1]
    assert [branch.ending for branch in answer.branches] == ["stop", "failed"]


def test_one_call_of_several_side_by_side_fails() -> None:
    refused = 0

    async def for_one(request: web.Request) -> web.StreamResponse:
        """500 for one of the two seeds, always."""
        nonlocal refused
        body = await request.json()
        if body["seed"] % 2:
            refused += 1
            return web.Response(status=500, text="out of memory")
        return await whole(choice(0))(request)

    with running(ChatServer(owner="me")) as server:
        server.faulty["test-model"] = for_one
        server.faults.append(faults.status(400, '{"error": {"message": "no such parameter", "param": "n"}}'))
        answer = ask_with_seed(server)
    assert answer.value == "4"
    assert "out of memory" in str(answer.notes)
    assert refused == 4
    assert len(server.bodies) == 1 + 1 + refused  # the refusal, the one that succeeds once, and the other
    assert answer.bill.output_tokens == TOKENS


def ask_with_seed(server: ChatServer) -> Answer:
    async def main() -> Answer:
        backend = OpenAI(server.url, "test-model", server="unknown", capabilities=["+n", "+seed"])
        try:
            return await asolve("What is 2 + 2?", strategy="self-consistency(n=2)", model=backend, seed=1)
        finally:
            await backend.aclose()

    return asyncio.run(main())


def test_what_one_choice_has_cost_is_booked_where_the_budget_ends_before_the_others() -> None:
    with running(ChatServer(owner="me")) as server:
        server.faults.append(whole(choice(0)))  # it ignores n
        answer = ask(server, budget=Budget(calls=1))
    assert answer.value == "4"
    assert "calls=1" in answer.stopped_because
    assert answer.bill.output_tokens == TOKENS
    assert [branch.ending for branch in answer.branches] == ["stop", "budget"]


def moody(fails: Callable[[Request, int], bool]) -> Callable[[], Model]:
    """A model of whose choices some fail, as the request says."""

    async def play(request: Request, progress: Progress) -> Completion:
        await asyncio.sleep(1)
        texts = [f"so Answer: {draw(request, at).randint(1, 3)}" for at in range(request.n)]
        made = said(request, *texts, prompt=10)
        good = {at: one for at, one in enumerate(made.choices) if not fails(request, at)}
        if len(good) == request.n:
            return made
        if not good:
            raise BrokenReply("it is broken")
        raise PartlyFailed("half is broken", good, Usage(10, 0, made.usage.output), BrokenReply("half is broken"))

    return lambda: Model(play, capabilities=Capability)


@pytest.mark.parametrize("spec", ["self-consistency(n=6)", "beam"])
@pytest.mark.parametrize("share", [0.3, 0.7])
def test_a_crash_changes_nothing_about_it(spec: str, share: float) -> None:
    crash = Crash(parse_spec(spec), moody(lambda request, at: draw(request, at + 10).random() < share))
    for dies in range(crash.writes):
        crash.after(dies)


def test_a_choice_that_came_is_not_asked_for_again_after_a_crash() -> None:
    crash = Crash(parse_spec("self-consistency(n=6)"), moody(lambda request, at: request.n == 6 and at % 2 == 0))
    assert isinstance(crash.expected, Answer)
    assert len(crash.expected.branches) == 6
    assert crash.expected.bill.calls == 2
    assert crash.expected.bill.retries == 1


def test_the_rest_that_does_not_fit_the_budget_leaves_what_came() -> None:
    async def play(request: Request, progress: Progress) -> Completion:
        made = said(request, *["so Answer: 2"] * request.n)
        limit = BudgetExhausted("budget calls=1 reached", "calls")
        raise PartlyFailed(str(limit), {0: made.choices[0]}, made.usage, limit)

    outcome = life(parse_spec("self-consistency(n=3)"), Model(play), Memory())
    assert isinstance(outcome, Answer)
    assert outcome.value == "2"
    assert outcome.stopped_because.startswith("budget calls=1 reached")
    assert [branch.ending for branch in outcome.branches] == ["stop", "budget", "budget"]
