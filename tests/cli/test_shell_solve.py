"""`ponder solve` in a pipe: plain lines for people, one JSON document for programs."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from command import EXECUTABLE, Ponder

from tests.servers.chat import ChatServer
from tests.servers.faults import NAMED, chunk, stream


def block(output: str) -> dict[str, str]:
    """The result block: names and values. A line that belongs to a branch has two spaces after the first word."""
    lines = (line.split(maxsplit=1) for line in output.splitlines())
    return {words[0]: words[1] for words in lines if len(words) == 2}


def test_the_result_says_what_came_out_and_what_it_cost(ponder: Ponder, model: str) -> None:
    done = ponder("solve", "-m", model, "-s", "self-consistency(n=3)", "what is the sum?")
    assert (done.returncode, done.stderr) == (0, "")
    found = block(done.stdout)
    value = found["answer"]
    assert value in "1234"
    assert found["votes"].startswith(f"{value} ×")
    assert 0 < float(found["confidence"]) <= 1
    assert found["stopped"] == "3 of 3 samples complete"
    assert found["calls"] == "1"  # for all three, because this server can do that
    assert found["price"] == "unknown"
    assert "total" in found["tokens"]
    assert "sequential" in found["tokens"]
    assert found["time"].endswith(" s")
    assert len(found["run"]) == 8


def test_every_branch_has_its_line(ponder: Ponder, model: str) -> None:
    done = ponder("solve", "-m", model, "-s", "self-consistency(n=3)", "what is the sum?")
    branches = [line for line in done.stdout.splitlines() if line.startswith("b")]
    assert [line.split()[0] for line in branches] == ["b0", "b1", "b2"]
    assert all(" tokens  " in line and line[-1] in "1234" for line in branches)


def test_json_is_one_document_and_nothing_else(ponder: Ponder, model: str) -> None:
    done = ponder("solve", "-m", model, "-s", "esc(n=4,window=2)", "--seed", "7", "--json", "what is the sum?")
    assert (done.returncode, done.stderr) == (0, "")
    document = json.loads(done.stdout)
    assert document["status"] == "done"
    assert document["strategy"] == "esc(n=4,window=2)"
    assert document["seed"] == 7
    assert document["value"] in "1234"
    assert document["bill"]["total_tokens"] == sum(branch["tokens"] for branch in document["branches"])
    assert document["bill"]["usd"] == "unknown"


@pytest.mark.parametrize(
    "arguments", [["-"], ["--file", "question.txt"], ["what is the sum?"]], ids=lambda given: given[0]
)
def test_the_question_comes_from_where_one_says(
    environment: dict[str, str], server: ChatServer, model: str, tmp_path: Path, arguments: list[str]
) -> None:
    (tmp_path / "question.txt").write_text("what is the sum?\n")
    subprocess.run(
        [EXECUTABLE, "solve", "-m", model, "-s", "single", *arguments],
        input=b"what is the sum?\n", env=environment, cwd=tmp_path, check=True, capture_output=True,
    )  # fmt: skip
    [body] = server.bodies
    assert body["messages"][0]["content"].startswith("what is the sum?\n\nThink step by step")


def test_effort_sets_the_options_of_the_strategy(ponder: Ponder, model: str) -> None:
    done = json.loads(ponder("solve", "-m", model, "-e", "0.5", "--json", "what is the sum?").stdout)
    assert done["strategy"] == "self-consistency@0.5"
    assert len(done["branches"]) == 8


def test_an_option_given_by_name_counts_more_than_the_effort(ponder: Ponder, model: str) -> None:
    done = json.loads(ponder("solve", "-m", model, "-e", "1", "-s", "self-consistency(n=2)", "--json", "?").stdout)
    assert done["strategy"] == "self-consistency@1(n=2)"
    assert len(done["branches"]) == 2


def test_a_known_price_is_on_the_bill(ponder: Ponder, model: str) -> None:
    done = ponder("solve", "-m", model, "-s", "single", "--price", "1000/2000", "--json", "what is the sum?")
    bill = json.loads(done.stdout)["bill"]
    assert bill["usd"] == pytest.approx((bill["prompt_tokens"] * 1000 + bill["output_tokens"] * 2000) / 1e6)
    shown = block(ponder("solve", "-m", model, "-s", "single", "--price", "1000/2000", "what is the sum?").stdout)
    assert shown["price"].startswith("$")


def test_a_budget_ends_the_run_with_an_answer_and_the_reason(ponder: Ponder, model: str) -> None:
    done = ponder("solve", "-m", model, "-b", "calls=1", "-s", "adaptive-consistency", "?")
    assert done.returncode == 0
    found = block(done.stdout)
    assert "budget calls=1 reached" in found["stopped"]
    assert found["answer"] in "1234"


def test_no_answer_in_time_is_exit_code_1(ponder: Ponder, server: ChatServer, model: str) -> None:
    server.latency = 60
    done = ponder("solve", "-m", model, "-s", "single", "-b", "seconds=0.5", "what is the sum?")
    assert done.returncode == 1
    found = block(done.stdout)
    assert found["answer"] == "none"
    assert "deadline" in found["stopped"]


def test_an_answer_with_too_little_confidence_is_withheld(ponder: Ponder, model: str) -> None:
    done = ponder("solve", "-m", model, "-s", "single", "--abstain-below", "0.9", "what is the sum?")
    assert done.returncode == 0
    assert block(done.stdout)["answer"].startswith("withheld; the votes lean to ")


def test_show_branches_prints_their_whole_text(ponder: Ponder, model: str) -> None:
    done = ponder("solve", "-m", model, "-s", "self-consistency(n=2)", "--show-branches", "what is the sum?")
    assert "--- branch b1, " in done.stdout
    assert done.stdout.count("Answer: \\boxed{") == 2


def test_what_a_model_says_cannot_steer_the_terminal(ponder: Ponder, server: ChatServer, model: str) -> None:
    says = chunk("\x1b[2J\x07Answer: \\boxed{4\x1b[31m2}", finish="stop")
    server.faults.append(stream([says, b"data: [DONE]\n\n"]))
    done = ponder("solve", "-m", model, "-s", "single", "--show-branches", "what is the sum?")
    assert done.returncode == 0
    assert "\\boxed" in done.stdout
    assert "\x1b" not in done.stdout
    assert "\x07" not in done.stdout


def test_a_retry_is_on_the_bill_and_not_on_standard_error(ponder: Ponder, server: ChatServer, model: str) -> None:
    server.faults.append(NAMED["503"])
    done = ponder("solve", "-m", model, "-s", "single", "what is the sum?")
    assert (done.returncode, done.stderr) == (0, "")
    assert block(done.stdout)["calls"] == "2, 1 retried, 1 failed"


def test_output_that_goes_nowhere_ends_the_run_quietly(
    environment: dict[str, str], server: ChatServer, model: str
) -> None:
    server.token_latency = 0.01
    command = f"{EXECUTABLE} solve -m {model} -s 'adaptive-consistency(threshold=1)' what | head -1"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], env=environment, capture_output=True, text=True)
    assert done.stdout.startswith("b0 ")
    assert (done.stderr, done.returncode) == ("", 141)


def test_output_that_cannot_be_written_is_one_line(environment: dict[str, str], model: str) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [EXECUTABLE, "solve", "-m", model, "-s", "single", "?"], env=environment, stdout=full,
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith("ponder: cannot write the output: No space left on device (spent ")
    assert done.stderr.count("\n") == 1
