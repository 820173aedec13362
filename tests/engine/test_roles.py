"""Several models in one run, and replies as objects."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rig import Memory, Model, live, said, virtually

import ponder
from ponder.core.answer import Answer
from ponder.core.backend import Capability, Progress, Request
from ponder.core.bill import Price
from ponder.core.branch import Branch
from ponder.core.completion import Choice, Completion, Usage
from ponder.core.errors import InvalidOption, MissingCapability, UnknownName, UsageError
from ponder.core.methods.registry import Strategy
from ponder.core.session import Session
from ponder.core.voting.vote import vote
from tests.engine.rig import solve

DEAR, CHEAP = (Price(0.0, 0.0, usd, "test") for usd in (10.0, 1.0))


def named(text: str, *, price: Price | None = None, capabilities: frozenset[Capability] | None = None) -> Model:
    """A model that says one thing, ten words at most."""

    async def play(request: Request, progress: Progress) -> Completion:
        return said(request, *[text] * request.n)

    return Model(play, price=price, capabilities=capabilities or frozenset(Capability))


async def drafted(s: Session) -> Answer:
    """A cheap model drafts, the main one answers with the drafts in view, a third one judges."""
    drafts = await s.extend(await s.sample(2, model="draft"))
    told = [{"role": "user", "content": " ".join(draft.text for draft in drafts)}]
    final = await s.extend(await s.sample(1, messages=told))
    verdict = await s.chat(told, model="judge", purpose="judge")
    return vote(final, because=verdict.text)


def three() -> dict[str, Model]:
    return {"draft": named(" a b Answer: 5", price=CHEAP), "judge": named("fine", price=DEAR)}


def test_each_model_is_called_in_its_role_and_has_its_part_of_the_bill() -> None:
    models, main = three(), named(" Answer: 4", price=DEAR)
    prices = {role: model.price for role, model in models.items()}
    answer = solve(drafted, main, models=models, prices=prices)
    assert (answer.value, answer.stopped_because) == ("4", "fine")
    assert [branch.model for branch in answer.branches] == ["draft", "draft", "main"]
    bill = answer.bill
    assert dict(bill.by_purpose) == {"branch": 10, "judge": 1}
    assert {role: part.output_tokens for role, part in bill.by_model.items()} == {"draft": 8, "judge": 1, "main": 2}
    assert bill.by_model["draft"].usd == pytest.approx(8e-6)
    assert bill.usd == pytest.approx(8e-6 + 1e-5 + 2e-5)
    assert (bill.output_tokens, bill.total_tokens, bill.sequential_tokens) == (11, 11, 4 + 2 + 1)
    assert ponder.Bill.from_dict(json.loads(json.dumps(bill.as_dict()))) == bill
    assert (bill + bill).by_model["draft"].output_tokens == 16


def test_an_unknown_price_of_one_of_them_makes_the_sum_unknown() -> None:
    answer = solve(drafted, named(" Answer: 4", price=DEAR), models=three(), prices={"draft": CHEAP, "judge": None})
    assert answer.bill.usd is None
    assert answer.bill.by_model["main"].usd == pytest.approx(2e-5)


@pytest.mark.parametrize("dies", range(1, 9))
def test_a_run_of_several_models_survives_a_crash_after_any_write(dies: int) -> None:
    def life(journal: Memory, **options: object) -> Answer:
        async def main() -> Answer:
            return await live(
                drafted, named(" Answer: 4", price=DEAR), models=three(), journal=journal,
                prices={"draft": CHEAP, "judge": DEAR}, **options,
            ).run()  # fmt: skip

        outcome: Answer = virtually(main())
        return outcome

    journal = Memory(dies=dies)
    life(journal)
    again = life(journal, recorded=journal.recorded())
    whole = life(Memory())
    assert (again.value, again.stopped_because) == (whole.value, whole.stopped_because)
    assert again.bill.by_purpose == whole.bill.by_purpose
    lost = again.bill.lost_calls
    assert again.bill.calls + lost == whole.bill.calls + lost


DRAFTED = Strategy.of(drafted, "drafted", roles={"draft": (), "judge": {Capability.CANCEL}})


def test_a_strategy_whose_model_is_missing_is_refused_before_anything_is_sent() -> None:
    main = named("Answer: 4")
    with pytest.raises(UsageError, match="drafted calls a second model as 'judge'; give one"):
        ponder.solve("2 + 2?", strategy=DRAFTED, model=main, models={"draft": named("5")})
    weak = named("fine", capabilities=frozenset({Capability.SAMPLE}))
    with pytest.raises(MissingCapability, match="drafted needs cancel of the model 'judge'"):
        ponder.solve("2 + 2?", strategy=DRAFTED, model=main, models={"draft": named("5"), "judge": weak})
    with pytest.raises(UsageError, match="a budget in usd needs all prices, and that of the model 'draft'"):
        ponder.solve("2 + 2?", strategy=DRAFTED, model=main, models=three_without_prices(), budget="usd=1", price=DEAR)
    assert main.requests == []


def three_without_prices() -> dict[str, Model]:
    return {"draft": named("5"), "judge": named("fine")}


@pytest.mark.parametrize(
    ("models", "why"),
    [
        ({"main": "x"}, "the main model is given as model="),
        ({"Judge!": "x"}, "'Judge!' is no role"),
        ({"judge": 3}, "models\\['judge'\\]=3"),
        (["judge"], "must be a dict from roles to models"),
    ],
)
def test_roles_that_are_none(models: object, why: str) -> None:
    with pytest.raises(InvalidOption, match=why):
        ponder.solve("2 + 2?", model=named("4"), models=models)  # type: ignore[arg-type]


def test_a_model_that_no_strategy_uses_is_told_of() -> None:
    answer = ponder.solve("2 + 2?", strategy="single", model=named("Answer: 4"), models={"judge": named("fine")})
    assert answer.value == "4"
    assert "single has no use for the model 'judge'" in answer.notes


def test_a_role_that_is_not_there_is_named() -> None:
    async def asks(s: Session) -> Answer:
        return vote(await s.extend(await s.sample(1, model="jugde")))

    with pytest.raises(UnknownName, match="unknown model 'jugde'; did you mean 'judge'"):
        solve(asks, named("4"), models={"judge": named("fine")})


def test_a_stored_run_goes_on_with_all_its_models(tmp_path: Path) -> None:
    store = ponder.Store(tmp_path / "runs.db")
    main = named("Answer: 4")
    first = ponder.solve(
        "2 + 2?", strategy=DRAFTED, model=main, models=three_without_prices(), store=store, budget="calls=3"
    )
    assert first.value == "4"
    job = store.run("last").job
    assert job["models"] == {"draft": "model", "judge": "model"}
    store.close()


async def judge(request: Request, progress: Progress) -> Completion:
    choices = [Choice('{"better": 1}' if at else "no JSON", 4, "stop", first={"Yes": -0.1}) for at in range(request.n)]
    return Completion(tuple(choices), Usage(output=4 * request.n))


def test_a_judge_gives_objects() -> None:
    seen: list[object] = []

    async def asks(s: Session) -> Answer:
        told = [{"role": "user", "content": "Which?"}]
        seen.extend(await s.chat(told, n=2, schema={"type": "object"}, logprobs=5, temperature=0.5, max_tokens=9))
        return Answer(value=str(await s.chat(told)))

    model = Model(judge)
    answer = solve(asks, model)
    assert answer.value == "no JSON"
    bad, good = seen
    assert isinstance(bad, ponder.Reply)
    assert isinstance(good, ponder.Reply)
    assert (bad.text, bad.parsed, bad.tokens) == ("no JSON", None, 4)
    assert (good.parsed, good.first, good.finish) == ({"better": 1}, {"Yes": -0.1}, "stop")
    request = model.requests[0]
    assert (request.n, request.schema, request.logprobs) == (2, {"type": "object"}, 5)
    assert (request.temperature, request.max_tokens) == (0.5, 9)
    assert answer.bill.calls == 2


def test_without_n_each_reply_takes_a_call_of_its_own_seed() -> None:
    async def asks(s: Session) -> Answer:
        return Answer(value=" ".join(map(str, await s.chat([{"role": "user", "content": "?"}], n=3))))

    model = Model(judge, capabilities={Capability.SAMPLE, Capability.SEED})
    answer = solve(asks, model)
    assert answer.value == "no JSON no JSON no JSON"
    assert len({request.seed for request in model.requests}) == 3
    assert (answer.bill.calls, answer.bill.sequential_tokens, answer.bill.total_tokens) == (3, 4, 12)


@pytest.mark.parametrize(
    ("asked", "why"),
    [({"schema": {}}, "be forced into a JSON schema"), ({"logprobs": 1}, "tell log-probabilities")],
)
def test_what_the_model_cannot_do_is_refused_by_name(asked: dict[str, object], why: str) -> None:
    async def asks(s: Session) -> Answer:
        return Answer(value=str(await s.chat([{"role": "user", "content": "?"}], **asked)))  # type: ignore[call-overload]

    model = Model(judge, capabilities={Capability.SAMPLE})
    with pytest.raises(MissingCapability, match=why):
        solve(asks, model)
    assert model.requests == []


@pytest.mark.parametrize(
    "asked",
    [{"logprobs": 21}, {"logprobs": True + 0.5}, {"purpose": "branch"}, {"purpose": "Not a name"}, {"n": 0}],
)
def test_what_a_chat_cannot_be_asked_for(asked: dict[str, object]) -> None:
    async def asks(s: Session) -> Answer:
        return Answer(value=str(await s.chat([{"role": "user", "content": "?"}], **asked)))  # type: ignore[call-overload]

    with pytest.raises(InvalidOption):
        solve(asks, Model(judge))


def test_branches_of_two_models_are_extended_in_one_go() -> None:
    async def both(s: Session) -> Answer:
        branches: list[Branch] = [*await s.sample(2), *await s.sample(1, model="judge")]
        return vote(await s.extend(branches))

    main, other = named("Answer: 4"), named("Answer: 5")
    answer = solve(both, main, models={"judge": other})
    assert answer.votes == {"4": 2, "5": 1}
    assert (len(main.requests), len(other.requests)) == (1, 1)
