"""Where nothing can be voted on the best reply is shown; replies that were all too long say which option helps."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from rig import Memory, Model, live, said, virtually

from ponder import Problem, solve
from ponder.backends.scripted import Scripted
from ponder.core.answer import Answer
from ponder.core.backend import Capability, Progress, Request
from ponder.core.branch import Branch
from ponder.core.completion import Completion
from ponder.core.errors import VerifierError
from ponder.core.problem import Ask
from ponder.core.session import Session
from ponder.core.settings import Settings
from ponder.core.voting.vote import vote_by_score
from ponder.engine.methods import parse_spec
from ponder.engine.resume.journal import Recorded
from ponder.engine.simulation import drive
from ponder.replay.play.recorded_branches import Pool
from ponder.replay.play.recorded_branches import Recorded as Sample

PLAIN = (
    "It depends on what you like. Some people walk in the hills.\n\nSome people read at home all day, or sleep.",
    "It depends on what you like. Some people walk in the hills.\n\nOthers read at home, some sleep all day.",
    "Cake! There is nothing better than a whole one.\n\nEat it alone and in silence on a wet and windy afternoon.",
)
SPECS = (
    "single",
    "self-consistency(n=3)",
    "adaptive-consistency(n=6)",
    "esc(n=6,window=3)",
    "best-of-n(n=3)",
    "best-of-n(n=3,select=naive)",
    "short-m-at-k(k=3,m=2)",
    "controller:self-consistency(n=3)",
    "cmc@0",
)


@pytest.mark.parametrize("spec", SPECS)
def test_every_strategy_shows_a_whole_reply(spec: str) -> None:
    verifier = (lambda problem, answer: 1.0) if spec.startswith("best") else None
    answer = solve("What shall I do on Sunday?", strategy=spec, model=Scripted(PLAIN), seed=1, verifier=verifier)
    assert (answer.value, answer.confidence, answer.unvoted) == (None, None, True)
    assert answer.text in PLAIN
    assert answer.branch in {branch.id for branch in answer.branches}
    assert Answer.from_dict(json.loads(json.dumps(answer.as_dict()))).unvoted


def test_the_typical_reply_is_the_one() -> None:
    scripts = [PLAIN[2], PLAIN[0], PLAIN[1]]
    answer = solve(
        "What shall I do?", strategy="self-consistency(n=3)", model=Scripted(scripts, capabilities=[Capability.SAMPLE])
    )
    assert answer.text in PLAIN[:2]


def test_the_text_that_had_come_when_the_budget_ended_is_shown() -> None:
    answer = solve("?", strategy="self-consistency(n=3)", model=Scripted(PLAIN), budget="tokens=40", max_tokens=30)
    assert answer.value is None
    assert answer.text
    assert answer.unvoted


def test_an_answer_with_votes_is_not_unvoted() -> None:
    assert not solve("2+2?", model=Scripted(["Answer: 4"]), strategy="self-consistency(n=2)").unvoted


@pytest.mark.parametrize("spec", ["single", "self-consistency(n=3)", "esc(n=4,window=2)", "adaptive-consistency(n=2)"])
def test_replies_that_are_all_too_long_name_the_option(spec: str) -> None:
    long = Scripted(["so " * 50 + "Answer: 4"])
    answer = solve("2+2?", strategy=spec, model=long, max_tokens=8)
    assert "max_tokens=8" in answer.stopped_because
    assert "--max-tokens" in answer.stopped_because
    assert "--max-tokens" not in solve("2+2?", strategy=spec, model=long, max_tokens=80).stopped_because
    pool = Pool([Sample("4", 8, truncated=True)] * 4)
    replayed = drive(parse_spec(spec), Problem.of("?"), pool, settings=Settings(max_tokens=8))
    assert "cut at max_tokens=8" in replayed.stopped_because


class Picky:
    """A verifier of which calls can be made to fail."""

    name = "picky"
    needs: frozenset[Capability] = frozenset()

    def __init__(self, judge: Callable[[str], Any]) -> None:
        self.judge = judge
        self.asked: list[str] = []

    async def score(self, problem: Problem, branch: Branch, ask: Ask) -> float:
        self.asked.append(branch.answer or "")
        value: float = self.judge(branch.answer or "")
        return value


def fails_at(answer: str, how: Any) -> Callable[[str], Any]:
    def judge(given: str) -> Any:
        if given != answer:
            return 0.9 if given == "4" else 0.2
        if isinstance(how, Exception):
            raise how
        return how

    return judge


FAILURES = [ValueError("no"), float("nan"), None, "1", float("inf"), ZeroDivisionError()]


@pytest.mark.parametrize("how", FAILURES, ids=repr)
def test_a_verifier_that_fails_for_one_branch_costs_that_branch_its_score(how: Any) -> None:
    model = Scripted(["Answer: 5", "Answer: 4", "Answer: 6"])
    answer = solve("2+2?", strategy="best-of-n(n=3)", verifier=Picky(fails_at("5", how)), model=model, seed=0)
    assert answer.value == "4"
    assert sorted(str(branch.score) for branch in answer.branches) == ["0.2", "0.9", "None"]
    assert any(note.startswith("1 of 3 scores failed: verifier picky") for note in answer.notes)


def test_a_verifier_that_fails_for_all_leaves_the_vote_and_says_so() -> None:
    model = Scripted(["Answer: 4"])
    answer = solve("2+2?", strategy="best-of-n(n=3)", verifier=Picky(fails_at("4", ValueError("no"))), model=model)
    assert (answer.value, answer.votes) == ("4", {"4": 3})
    assert answer.stopped_because.startswith("the verifier failed: verifier picky raised ValueError: no")
    assert answer.bill.output_tokens == 6


def test_a_strategy_may_go_on_without_its_verifier() -> None:
    async def careful(s: Session) -> Answer:
        branches = await s.extend(await s.sample(2))
        try:
            return vote_by_score(await s.score(branches))
        except VerifierError as error:
            return Answer(value="none", stopped_because=str(error))

    async def main() -> Answer:
        model = Scripted(["Answer: 4"])
        return await live(careful, model, verifier=Picky(fails_at("4", ValueError("no")))).run()

    assert virtually(main()).value == "none"


def test_a_resumed_run_goes_on_without_the_score_that_failed() -> None:
    async def twice(s: Session) -> Answer:
        scored = await s.score(await s.extend(await s.sample(3)))
        said = await s.chat([{"role": "user", "content": str([branch.score for branch in scored])}])
        return vote_by_score(scored, said.text)

    async def play(request: Request, progress: Progress) -> Completion:
        texts = {"b0": "Answer: 5", "b1": "Answer: 4", "b2": "Answer: 6"}
        return said(request, texts[request.branches[0]] if request.branches else f"so {len(request.messages)}")

    def life(journal: Memory, verifier: Picky, recorded: Recorded | None = None) -> Answer:
        async def main() -> Answer:
            model = Model(play, capabilities=[Capability.SAMPLE])
            return await live(twice, model, verifier=verifier, journal=journal, recorded=recorded).run()

        answer: Answer = virtually(main())
        return answer

    journal = Memory()
    calm = life(journal, Picky(fails_at("5", ValueError("no"))))
    well = Picky(lambda answer: 1.0)
    again = life(journal, well, journal.recorded())
    assert well.asked == []
    assert (again.value, again.notes) == (calm.value, calm.notes)


def test_a_strategy_that_went_on_without_its_verifier_does_so_again_when_it_is_resumed() -> None:
    async def stubborn(s: Session) -> Answer:
        branches = await s.extend(await s.sample(1))
        try:
            word = f"scored {(await s.score(branches))[0].score}"
        except VerifierError as error:
            word = str(error)
        return Answer(value=(await s.chat([{"role": "user", "content": word}])).text, stopped_because=word)

    async def play(request: Request, progress: Progress) -> Completion:
        return said(request, "Answer: 4")

    def life(journal: Memory, judge: Callable[[str], Any], recorded: Recorded | None = None) -> Answer:
        async def main() -> Answer:
            return await live(stubborn, Model(play), verifier=Picky(judge), journal=journal, recorded=recorded).run()

        answer: Answer = virtually(main())
        return answer

    journal = Memory()
    calm = life(journal, fails_at("4", ValueError("no")))
    assert calm.stopped_because == "verifier picky raised ValueError: no"
    assert life(journal, lambda answer: 1.0, journal.recorded()).stopped_because == calm.stopped_because
