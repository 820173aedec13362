"""Golden cases small enough to add up by hand: what is on the bill, and the longest chain of tokens that waited."""

from __future__ import annotations

import anyio
import pytest
from rig import Memory, Model, said, solve

from ponder.core.answer import Answer
from ponder.core.backend import Capability, Progress, Request
from ponder.core.bill import Bill, Price
from ponder.core.branch import Branch
from ponder.core.completion import Choice, Completion, Usage
from ponder.core.errors import BrokenReply, Unreachable
from ponder.core.ledger import Charge, Ledger
from ponder.core.problem import Ask, Problem
from ponder.core.session import Session
from ponder.core.voting.vote import vote

SAMPLE_ONLY = frozenset({Capability.SAMPLE, Capability.CONTINUE, Capability.CANCEL})


def counting(lengths: dict[str, list[int]], per_token: float = 1.0) -> Model:
    """A model that says so many words in the calls of each branch; "" are chats. A word takes a second."""
    left = {name: list(tokens) for name, tokens in lengths.items()}

    async def play(request: Request, progress: Progress) -> Completion:
        name = request.branches[0] if request.branches else ""
        words = left[name].pop(0)
        progress.prompt_tokens = 3
        for _ in range(words):
            await anyio.sleep(per_token)
            progress.grow(0, " word")
        ends = not left[name]
        text = " word" * (words - 2) + " Answer: 4" if ends and words > 1 else " word" * words
        return Completion((Choice(text, words, "stop" if ends else "length"),), Usage(3, 0, words))

    return Model(play, capabilities=SAMPLE_ONLY)


def user(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def test_samples_drawn_together_cost_their_sum_and_the_latency_of_the_longest() -> None:
    async def together(s: Session) -> Answer:
        return vote(await s.extend(await s.sample(3)))

    bill = solve(together, counting({"b0": [10], "b1": [30], "b2": [20]})).bill
    assert (bill.output_tokens, bill.total_tokens, bill.sequential_tokens) == (60, 60, 30)
    assert (bill.calls, bill.prompt_tokens) == (3, 9)


def test_more_choices_than_a_call_takes_are_several_calls_each_with_its_own_prompt() -> None:
    async def many(s: Session) -> Answer:
        return vote(await s.extend(await s.sample(5)))

    async def play(request: Request, progress: Progress) -> Completion:
        return said(request, *["so it is Answer: 4"] * request.n, prompt=7)

    model = Model(play, most_choices=2)
    bill = solve(many, model).bill
    assert [request.n for request in model.requests] == [2, 2, 1]
    assert len({request.seed for request in model.requests}) == 3
    assert (bill.prompt_tokens, bill.total_tokens, bill.sequential_tokens) == (21, 25, 5)


def test_a_part_that_fails_leaves_the_others_as_they_are() -> None:
    async def many(s: Session) -> Answer:
        return vote(await s.extend(await s.sample(4)))

    async def play(request: Request, progress: Progress) -> Completion:
        if "b0" in request.branches:
            raise BrokenReply("cut off")
        return said(request, *["so it is Answer: 4"] * request.n)

    answer = solve(many, Model(play, most_choices=2))
    assert [branch.ending for branch in answer.branches] == ["failed", "failed", "stop", "stop"]


def test_samples_drawn_one_after_another_cost_the_sum_on_both_axes() -> None:
    async def in_turn(s: Session) -> Answer:
        return vote([await s.extend((await s.sample(1))[0]) for _ in range(3)])

    bill = solve(in_turn, counting({"b0": [10], "b1": [30], "b2": [20]})).bill
    assert (bill.total_tokens, bill.sequential_tokens) == (60, 60)


def test_children_of_gather_wait_for_what_came_before_and_what_comes_after_waits_for_the_longest() -> None:
    async def fans_out(s: Session) -> Answer:
        plan = await s.chat(user("plan"))  # 5

        async def two_steps(branch: Branch) -> Branch:
            return await s.extend(await s.extend(branch, tokens=20))

        first, second = await s.sample(2)
        both = await s.gather(two_steps(first), s.extend(second))  # 20 + 15 next to 30
        await s.chat(user(f"{plan}, then sum up"))  # 7
        return vote(both)

    bill = solve(fans_out, counting({"": [5, 7], "b0": [20, 15], "b1": [30]})).bill
    assert bill.total_tokens == 5 + (20 + 15) + 30 + 7
    assert bill.sequential_tokens == 5 + (20 + 15) + 7


def test_gathers_in_gathers_count_their_longest_path() -> None:
    async def nests(s: Session) -> Answer:
        async def leaf(words: int) -> Branch:
            return await s.extend((await s.sample(1))[0], tokens=words)

        async def left() -> list[Branch]:
            first = await leaf(50)
            return [first, *await s.gather(leaf(50), leaf(50))]

        groups = await s.gather(left(), s.gather(leaf(50), leaf(50)))
        return vote([branch for group in groups for branch in group])

    names = {"1.0/b0": [4], "1.0/3.0/b0": [10], "1.0/3.1/b0": [6], "1.1/1.0/b0": [13], "1.1/1.1/b0": [12]}
    bill = solve(nests, counting(names)).bill
    assert bill.total_tokens == 4 + 10 + 6 + 13 + 12
    assert bill.sequential_tokens == max(4 + max(10, 6), max(13, 12))


def test_a_chain_of_chats_is_as_long_as_all_of_them() -> None:
    async def refines(s: Session) -> Answer:
        draft = await s.chat(user("draft"))
        for _ in range(2):
            draft = await s.chat(user(f"criticise {draft}"))
        return Answer(value=draft.text)

    bill = solve(refines, counting({"": [3, 4, 5]})).bill
    assert (bill.output_tokens, bill.sequential_tokens, bill.calls) == (12, 12, 3)


def test_as_completed_takes_the_shortest_first_and_a_cut_branch_pays_for_what_it_had_said() -> None:
    async def hurries(s: Session) -> Answer:
        done = []
        async with s.as_completed(*(s.extend(branch) for branch in await s.sample(3))) as finished:
            async for branch in finished:
                done.append(branch)
                if len(done) == 2:
                    break
        return vote(done)

    answer = solve(hurries, counting({"b0": [30], "b1": [10], "b2": [20]}))
    assert {branch.id: (branch.ending, branch.tokens) for branch in answer.branches} == {
        "b0": ("pruned", 20), "b1": ("stop", 10), "b2": ("stop", 20),
    }  # fmt: skip
    bill = answer.bill
    assert (bill.total_tokens, bill.discarded_tokens, bill.sequential_tokens) == (10 + 20 + 20, 20, 20)
    assert (bill.calls, bill.prompt_tokens) == (3, 9)
    assert answer.branches[0].text == " word" * 20


def test_a_loser_without_a_result_does_not_lengthen_the_chain_of_the_winner() -> None:
    async def races(s: Session) -> Answer:
        async with s.as_completed(*(s.extend(branch) for branch in await s.sample(2))) as finished:
            winner = await anext(finished)
        return vote([await s.extend((await s.sample(1))[0]), winner])

    bill = solve(races, counting({"b0": [10], "b1": [90], "b2": [5]}, per_token=1), max_tokens=99).bill
    assert (bill.total_tokens, bill.sequential_tokens) == (10 + 10 + 5, 15)


def test_a_reply_that_has_come_is_read_even_if_its_race_is_over() -> None:
    async def play(request: Request, progress: Progress) -> Completion:
        await anyio.sleep(1)
        return said(request, f"Answer: {request.branches[0]}")

    async def races(s: Session) -> Answer:
        async with s.as_completed(*(s.extend(branch) for branch in await s.sample(5))) as finished:
            return vote([await anext(finished)])

    answer = solve(races, Model(play, capabilities=SAMPLE_ONLY))
    complete = [branch for branch in answer.branches if branch.complete]
    assert len(complete) > 1
    assert all(branch.answer == branch.id for branch in complete)


def test_what_forks_share_is_generated_once_and_discarded_when_nobody_uses_it() -> None:
    async def branches_out(s: Session) -> Answer:
        [trunk] = await s.extend(await s.sample(1), tokens=10)
        first, second, third = await s.fork(trunk, 3)
        await s.prune(trunk)  # its 10 tokens live on in the children
        first = await s.extend(first)
        await s.prune(await s.extend(second))  # 7 of its own
        await s.prune(third)  # nothing of its own
        return vote([first])

    model = counting({"b0": [10, 0], "b1": [5], "b2": [7]})
    bill = solve(branches_out, model).bill
    assert (bill.total_tokens, bill.discarded_tokens) == (10 + 5 + 7, 7)

    async def gives_up(s: Session) -> Answer:
        [trunk] = await s.extend(await s.sample(1), tokens=10)
        [child] = await s.extend(await s.fork(trunk, 1))
        await s.prune([trunk, child, child])
        return vote([child])

    bill = solve(gives_up, counting({"b0": [10, 0], "b1": [5]})).bill
    assert (bill.total_tokens, bill.discarded_tokens) == (15, 15)


def test_a_trunk_that_grows_on_after_the_fork_owns_what_it_adds() -> None:
    async def grows(s: Session) -> Answer:
        [trunk] = await s.extend(await s.sample(1), tokens=10)
        [child] = await s.fork(trunk, 1)
        await s.extend(trunk)  # 20 more
        await s.prune(await s.extend(child))  # 30 of its own
        return vote([trunk])

    bill = solve(grows, counting({"b0": [10, 20], "b1": [30]})).bill
    assert (bill.total_tokens, bill.discarded_tokens) == (60, 30)


@pytest.mark.parametrize("trunk_first", [True, False])
def test_giving_up_trunk_and_child_in_any_order_discards_each_token_once(trunk_first: bool) -> None:
    async def gives_all_up(s: Session) -> Answer:
        [trunk] = await s.extend(await s.sample(1), tokens=10)
        [child] = await s.fork(trunk, 1)
        both = await s.extend([trunk, child])  # 20 more, and 30 of its own
        for branch in both if trunk_first else reversed(both):
            await s.prune(branch)
        return vote(both)

    bill = solve(gives_all_up, counting({"b0": [10, 20], "b1": [30]})).bill
    assert (bill.total_tokens, bill.discarded_tokens) == (60, 60)


def test_pruning_twice_or_after_the_end_discards_once() -> None:
    async def prunes(s: Session) -> Answer:
        [done] = await s.extend(await s.sample(1))
        pruned = await s.prune(done)
        assert pruned.answer is None
        await s.prune([pruned, done])
        return vote([pruned])

    answer = solve(prunes, counting({"b0": [10]}))
    assert (answer.value, answer.bill.total_tokens, answer.bill.discarded_tokens) == (None, 10, 10)


class Judge:
    """Asks twice in a row."""

    name = "judge"
    needs: frozenset[Capability] = frozenset()

    async def score(self, problem: Problem, branch: Branch, ask: Ask) -> float:
        for _ in range(2):
            await ask(Request(messages=({"role": "user", "content": "Right?"},), max_tokens=9))
        return 0.5


def test_probes_and_verifiers_are_on_the_bill_under_their_own_names() -> None:
    async def checks(s: Session) -> Answer:
        [branch] = await s.extend(await s.sample(1), tokens=10)
        await s.probe(branch)  # 2
        [branch] = await s.score([await s.extend(branch)])  # 6, then 3 + 4
        assert branch.score == 0.5
        return vote([branch])

    bill = solve(checks, counting({"b0": [10, 2, 6], "": [3, 4]}), verifier=Judge()).bill
    assert (bill.output_tokens, bill.probe_tokens, bill.verifier_tokens) == (16, 2, 7)
    assert (bill.total_tokens, bill.sequential_tokens, bill.calls) == (25, 25, 5)


def test_a_probe_does_not_disturb_the_branch() -> None:
    async def looks(s: Session) -> Answer:
        [branch] = await s.extend(await s.sample(1), tokens=3)
        await s.probe(branch)
        after = await s.extend(branch)
        assert after.text.startswith(branch.text)
        return vote([after])

    answer = solve(looks, counting({"b0": [3, 2, 6]}))
    assert answer.branches[0].tokens == 9
    assert "word Answer: 4" in answer.branches[0].text


def test_retries_and_what_failed_attempts_had_said_are_on_the_bill() -> None:
    attempts = 0

    async def play(request: Request, progress: Progress) -> Completion:
        nonlocal attempts
        attempts += 1
        if attempts == 1:
            raise Unreachable("502")
        if attempts == 2:
            progress.prompt_tokens = 3
            progress.grow(0, " half a thought", 3)
            raise BrokenReply("the stream closed")
        return said(request, "a whole thought Answer: 4", prompt=3)

    async def once(s: Session) -> Answer:
        return vote(await s.extend(await s.sample(1)))

    answer = solve(once, Model(play))
    bill = answer.bill
    assert answer.value == "4"
    assert (bill.calls, bill.retries, bill.failed_calls) == (3, 2, 2)
    assert (bill.total_tokens, bill.discarded_tokens, bill.prompt_tokens) == (3 + 5, 3, 6)
    assert answer.branches[0].text == "a whole thought Answer: 4", "a broken attempt leaves no text"


def test_thinking_is_counted_apart_and_within_the_output() -> None:
    async def play(request: Request, progress: Progress) -> Completion:
        return Completion((Choice("Answer: 4", 12, "stop", "let me see", 10),), Usage(3, 1, 12))

    async def once(s: Session) -> Answer:
        return vote(await s.extend(await s.sample(1)))

    bill = solve(once, Model(play)).bill
    assert (bill.output_tokens, bill.thinking_tokens, bill.total_tokens) == (12, 10, 12)
    assert (bill.prompt_tokens, bill.cached_prompt_tokens) == (3, 1)


@pytest.mark.parametrize("price", [None, Price(1.0, 0.5, 2.0, "given")])
def test_an_unknown_price_is_unknown_and_never_zero(price: Price | None) -> None:
    async def play(request: Request, progress: Progress) -> Completion:
        return Completion((Choice("Answer: 4", 100, "stop"),), Usage(1000, 400, 100))

    async def once(s: Session) -> Answer:
        return vote(await s.extend(await s.sample(1)))

    bill = solve(once, Model(play, price=price), max_tokens=100).bill
    if price is None:
        assert bill.usd is None
        assert bill.as_dict()["usd"] == "unknown"
    else:
        assert bill.usd == (600 * 1.0 + 400 * 0.5 + 100 * 2.0) / 1e6
        assert bill.price == price
    assert Bill.from_dict(bill.as_dict()) == bill


def test_the_bill_is_the_fold_of_the_charges_in_the_journal() -> None:
    async def works(s: Session) -> Answer:
        branches = await s.extend(await s.sample(3), tokens=4)
        await s.probe(branches)
        await s.prune(branches[0])
        await s.chat(user("hm"))
        return vote(await s.score(await s.extend(branches[1:])))

    journal = Memory()
    model = counting({"b0": [4, 1, 1], "b1": [4, 1, 6], "b2": [4, 1, 9], "": [2, *[3] * 4]})
    model.price = Price(0.15, 0.075, 0.6, "given")
    bill = solve(works, model, journal=journal, verifier=Judge()).bill
    fold = Ledger({"main": model.price})
    for entry in journal.entries:
        if entry.intent:
            assert entry.result is not None
            fold.book(Charge(**entry.result["charge"]))
    fold.book(Charge(discarded=4))  # what was pruned is a decision, which a replay repeats
    assert {**bill.as_dict(), "seconds": 0, "sequential_tokens": 0} == fold.bill.as_dict()
