"""What each strategy does on samples that can be followed by hand."""

from __future__ import annotations

import random

import pytest
from pools import run, samples

from ponder.core.branch import Branch
from ponder.strategies.dirichlet import dirichlet_confidence


def test_single_takes_the_first_sample() -> None:
    answer = run("single", samples("B10 A20"))
    assert (answer.value, answer.bill.total_tokens, answer.confidence) == ("B", 10, None)


def test_self_consistency_returns_the_most_frequent_answer() -> None:
    answer = run("self-consistency(n=5)", samples("A10 B20 B30 -40 A50 B60"))
    assert answer.value == "A"  # a tie, A2 : B2, goes to the answer seen first
    assert dict(answer.votes) == {"A": 2, "B": 2}
    assert answer.confidence == 2 / 5  # the branch without an answer abstains, and is no support
    assert (answer.bill.total_tokens, answer.bill.sequential_tokens) == (150, 50)


def test_self_consistency_weighted_by_the_verifier() -> None:
    answer = run("self-consistency(n=3,weight=verifier)", samples("A10:0.2 A10:0.3 B10:0.9"))
    assert answer.value == "B"
    assert answer.confidence == pytest.approx(0.9 / 3)  # of the 3 that all complete branches could have given it


@pytest.mark.parametrize(
    ("spec", "recorded", "value", "confidence"),
    [
        ("best-of-n(n=3)", "A10:0.63 -20:0.9 -30:0.9", "A", 0.63 / 3),
        ("best-of-n(n=3)", "A10:1 A20:1 A30:1", "A", 1.0),
        ("best-of-n(n=3)", "A10:0 B20:0 A30:0", "A", 0.0),
        ("best-of-n(n=4,select=naive)", "A10:0.5 A10:0.5 B10:0.8 -99:1.0", "B", 0.2),
        ("best-of-n(n=2)", "A10:-3.5 B20:-0.0734", "B", None),  # rewards are no probabilities
        ("best-of-n(n=3)", "A10:-1.0 A20:-1.1 B20:-0.9", "A", None),  # and more votes are no less support
        ("best-of-n(n=2,select=naive)", "A10:12 B20:7", "A", None),
        ("self-consistency(n=2,weight=verifier)", "A10:-12 B20:7", "B", None),
        ("self-consistency(n=4)", "A10 A10 B10 -10", "A", 0.5),
        ("esc(n=10,window=5)", "A9 A9 A9 A9 C9 B9 B9 B9 B9 B9", "B", 0.5),  # the window decides, all vote
        ("short-m-at-k(m=2,k=3)", "A10 -20 B30", "A", 0.5),
        ("adaptive-consistency(n=4)", "A10 B10 A10 A10", "A", 0.75),
    ],
)
def test_confidence_is_the_support_of_all_that_there_could_have_been(
    spec: str, recorded: str, value: str, confidence: float | None
) -> None:
    answer = run(spec, samples(recorded))
    assert answer.value == value
    assert answer.confidence == (None if confidence is None else pytest.approx(confidence))


def test_an_answer_that_the_verifier_rejects_says_so() -> None:
    answer = run("best-of-n(n=3)", samples("A10:0.1 B10:0.3 A20:0"))
    assert "the verifier takes no answer for right, the best has a score of 0.30" in answer.stopped_because
    assert "takes no answer" not in run("best-of-n(n=3)", samples("A10:0.1 B10:0.6 A20:0")).stopped_because


def test_a_branch_without_a_recorded_score_does_not_select_and_the_others_do() -> None:
    answer = run("best-of-n(n=3)", samples("A10 B10:0.3 A20:0.2"))
    assert (answer.value, answer.confidence) == ("B", None)
    assert answer.notes == ("1 of 3 scores failed",)


def test_best_of_n_weighted_and_naive_differ() -> None:
    recorded = samples("A10:0.5 A10:0.5 B10:0.8 -99:1.0")
    assert run("best-of-n(n=4)", recorded).value == "A"
    assert run("best-of-n(n=4,select=naive)", recorded).value == "B"


def test_adaptive_consistency_stops_at_four_unanimous_samples() -> None:
    answer = run("adaptive-consistency", samples("A10 A20 A30 A40 B50"))
    assert answer.value == "A"
    assert answer.bill.calls == 4
    assert answer.bill.total_tokens == answer.bill.sequential_tokens == 100  # one at a time: latency is the sum


@pytest.mark.parametrize(("votes", "drawn"), [("AAAA", 4), ("BAAAAAA", 7), ("ABABABABAB", 10), ("BBAAAAAAAAA", 10)])
def test_adaptive_consistency_stops_where_the_published_table_says(votes: str, drawn: int) -> None:
    answer = run("adaptive-consistency(n=10)", samples(" ".join(f"{vote}10" for vote in votes + "CCCCCC")))
    assert answer.bill.calls == drawn


def test_adaptive_consistency_in_batches_is_quicker_and_wastes_little() -> None:
    answer = run("adaptive-consistency(batch=3)", samples("A10 A10 A10 A10 A10 A10 B10"))
    assert (answer.bill.calls, answer.bill.sequential_tokens) == (6, 20)


def test_the_dirichlet_criterion_counts_the_third_answer() -> None:
    spread = samples("A10 A10 A10 B10 C10 " + "A10 " * 35)
    beta = run("adaptive-consistency(n=40)", spread).bill.calls
    dirichlet = run("adaptive-consistency(n=40,criterion=dirichlet)", spread).bill.calls
    assert 4 < beta <= dirichlet < 40


def test_the_dirichlet_confidence_is_what_monte_carlo_gives() -> None:
    branches = [Branch(id=str(i), answer=answer) for i, answer in enumerate("AAAAAABBBCCD")]
    rng, draws = random.Random(0), 40_000
    wins = 0
    for _ in range(draws):
        first, *others = (rng.gammavariate(count + 1, 1.0) for count in (6, 3, 2, 1))
        wins += first > max(others)
    assert dirichlet_confidence(branches) == pytest.approx(wins / draws, abs=0.01)


@pytest.mark.parametrize("count", [5, 800, 1300])
def test_the_dirichlet_confidence_in_a_tie_of_three_is_a_third(count: int) -> None:
    branches = [Branch(id=f"{answer}{i}", answer=answer) for i in range(count) for answer in "ABC"]
    assert dirichlet_confidence(branches) == pytest.approx(1 / 3, abs=0.01)


def test_esc_stops_at_the_first_unanimous_window() -> None:
    answer = run("esc(n=9,window=3)", samples("A10 B10 A10 B20 B20 B20 A30 A30 A30"))
    assert answer.value == "B"
    assert (answer.bill.calls, answer.bill.sequential_tokens) == (6, 30)


def test_esc_without_a_unanimous_window_votes_over_all() -> None:
    answer = run("esc(n=4,window=2)", samples("A10 B10 B10 A10 C10"))
    assert (answer.value, answer.bill.calls) == ("A", 4)


def test_a_window_in_which_one_abstains_is_not_unanimous() -> None:
    assert run("esc(n=4,window=2)", samples("A10 -10 A10 A10")).bill.calls == 4


def test_short_m_at_k_cuts_the_others_and_charges_what_they_had() -> None:
    answer = run("short-m-at-k(m=2,k=4)", samples("A40 B10 B20 A30"))
    assert answer.value == "B"
    # B10 and B20 are complete; the other two had come as far as the second, 20 tokens each.
    assert (answer.bill.total_tokens, answer.bill.sequential_tokens) == (10 + 20 + 20 + 20, 20)
    assert answer.bill.discarded_tokens == 40
    assert [branch.ending for branch in answer.branches] == ["pruned", "stop", "stop", "pruned"]


def test_short_m_at_k_breaks_ties_by_the_shorter_chain() -> None:
    assert run("short-m-at-k(m=2,k=2)", samples("A20 B10")).value == "B"


def test_no_answer_at_all_is_an_answer_without_value() -> None:
    answer = run("self-consistency(n=2)", samples("-10 -20"))
    assert answer.value is None
    assert answer.bill.total_tokens == 30


@pytest.mark.parametrize(
    ("spec", "drawn"),
    [
        ("adaptive-consistency(n=40)", 4),
        ("adaptive-consistency(n=40,batch=6)", 6),
        ("esc(n=40,window=5)", 5),
        ("esc(n=40,window=2)", 4),
        ("esc(n=3,window=3)", 3),
        ("self-consistency(n=8)", 8),
    ],
)
def test_adaptive_methods_do_not_draw_in_vain_where_nothing_can_be_voted_on(spec: str, drawn: int) -> None:
    answer = run(spec, samples("-10 " * 40))
    assert answer.bill.calls == drawn
    assert answer.value is None


@pytest.mark.parametrize("spec", ["adaptive-consistency(n=40)", "esc(n=40,window=4)"])
def test_one_answer_among_the_first_is_enough_to_go_on(spec: str) -> None:
    assert run(spec, samples("-10 -10 -10 A10 " + "A10 " * 36)).value == "A"
