"""With answers="model" the model says what a reply comes to, where rules cannot; on the bill, and not asked twice."""

from __future__ import annotations

from typing import Any

import pytest
from rig import Literally, Memory, virtually

from ponder import Problem, asolve, solve
from ponder.backends.scripted import Scripted
from ponder.core.answer import Answer
from ponder.core.backend import Capability, Request
from ponder.core.errors import InvalidOption, Unreachable
from ponder.core.settings import Settings
from ponder.engine.live.driver import Live
from ponder.engine.methods import parse_spec
from ponder.engine.resume.journal import Recorded

PROSE = {
    0: "Well, there is a city on a lake.\n\nIt was built for the purpose.\n\nPeople call it Canberra, and like it.",
    1: "Answer: Canberra",
    2: "You have no idea how many cities there are.\n\nI have been to none of them.\n\nPerhaps you ask somebody.",
}
CAPITAL = "What is the capital of Australia?"


def script(request: Request, index: int) -> Any:
    asked = str(request.messages[-1]["content"])
    if asked.startswith(CAPITAL):
        return PROSE[int(request.branches[index][1:])]
    if asked.startswith("Which final answer"):
        return "NONE." if "no idea" in str(request.messages[-2]["content"]) else "Canberra"
    return "Yes." if "Canberra City" in asked else "No"


def test_the_model_finds_what_rules_do_not_and_it_is_on_the_bill() -> None:
    model = Scripted(script)
    answer = solve(CAPITAL, strategy="self-consistency(n=3)", model=model, answers="model")
    assert (answer.value, answer.votes) == ("Canberra", {"Canberra": 2})
    assert answer.bill.probe_tokens == 2
    assert answer.bill.calls == model.calls == 3
    assert answer.bill.total_tokens == answer.bill.output_tokens + answer.bill.probe_tokens
    assert answer.bill.sequential_tokens == max(branch.tokens for branch in answer.branches) + 1


def test_rules_alone_ask_nothing() -> None:
    model = Scripted(script)
    assert solve(CAPITAL, strategy="self-consistency(n=3)", model=model).votes == {"Canberra": 1}
    assert model.calls == 1
    with pytest.raises(InvalidOption, match="answers='magic' must be one of rules, model"):
        solve(CAPITAL, model=model, answers="magic")  # type: ignore[arg-type]


def test_short_texts_that_rules_call_different_are_compared_once_a_pair() -> None:
    texts = ["Answer: Canberra", "Answer: Canberra City", "Answer: Sydney", "Answer: Canberra City"]

    def say(request: Request, index: int) -> str:
        if request.branches:
            return texts[int(request.branches[index][1:])]
        return str(script(request, index))

    model = Scripted(say)
    answer = solve(CAPITAL, strategy="self-consistency(n=4)", model=model, answers="model")
    assert answer.votes == {"Canberra City": 3, "Sydney": 1}
    assert model.calls == 1 + 2


def test_numbers_are_left_to_the_rules() -> None:
    model = Scripted(["Answer: 12", "Answer: 13"])
    assert len(solve("6 + 6?", strategy="self-consistency(n=2)", model=model, answers="model").votes) == 2
    assert model.calls == 1


def test_a_look_that_the_budget_does_not_cover_or_that_fails_is_none() -> None:
    one_by_one = Scripted(script, capabilities=[Capability.SAMPLE])
    answer = solve(CAPITAL, strategy="self-consistency(n=3)", model=one_by_one, answers="model", budget="calls=3")
    assert answer.votes == {"Canberra": 1}

    def broken(request: Request, index: int) -> Any:
        return script(request, index) if request.branches else Unreachable("gone")

    async def main() -> Answer:
        return await asolve(CAPITAL, strategy="self-consistency(n=3)", model=Scripted(broken), answers="model")

    answer = virtually(main())
    assert answer.votes == {"Canberra": 1}
    assert any("second look at a reply failed" in note for note in answer.notes)


def test_a_resumed_run_asks_nothing_twice() -> None:
    def life(journal: Memory, model: Scripted, recorded: Recorded | None = None) -> Answer:
        async def main() -> Answer:
            run = Live(
                parse_spec("self-consistency(n=3)"), Problem.of(CAPITAL), model, answers=Literally(),
                settings=Settings(answers="model"), seed=7, journal=journal, recorded=recorded,
            )  # fmt: skip
            return await run.run()

        answer: Answer = virtually(main())
        return answer

    whole = Memory()
    calm = life(whole, Scripted(script))
    for dies in range(1, 2 * len(whole.entries) + 1):
        journal = Memory(dies=dies)
        first, second = Scripted(script), Scripted(script)
        life(journal, first)
        again = life(journal, second, journal.recorded())
        assert (again.value, again.votes) == (calm.value, calm.votes)
        assert again.bill.probe_tokens == calm.bill.probe_tokens
    assert second.calls == 0
