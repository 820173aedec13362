"""Sample sets of others, read through a mapping that a person writes."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import ponder.controllers  # noqa: F401 - registers them
from ponder.answers import extract
from ponder.core.errors import InvalidOption, PonderError, TraceError, UnknownName
from ponder.replay.importers.mapping import read_mapping
from ponder.replay.importers.samples import import_samples
from ponder.replay.load import load_trace
from ponder.replay.play.methods import methods
from ponder.replay.traces.read import TraceFile
from ponder.replay.traces.trace import Trace
from tests.shared_data import shared_data

RECORD = {
    "q": "1 + 1?",
    "right": 2,
    "said": ["so\nA: 2", "A: 1, no, A: 3", "I give up"],
    "marks": [True, False, False],
    "rewards": [[0.5], [-1.0], [0.0]],
    "size": [7, 9, 4],
}


def imported(folder: Path, mapping: str, *records: Any) -> Trace:
    (folder / "map.toml").write_text(mapping)
    data = folder / "data.jsonl"
    data.write_text("".join(json.dumps(record) + "\n" for record in records))
    import_samples([data], read_mapping(folder / "map.toml"), folder / "out.parquet", extract)
    return load_trace(folder / "out.parquet")


def test_an_expression_finds_the_last_answer(tmp_path: Path) -> None:
    trace = imported(
        tmp_path, "question='q'\nreference='right'\nsamples='said'\nextract='A: (.)'\nlengths='size'", RECORD
    )
    assert trace.answers == (("2", "3"),)
    assert (trace.finals.tolist(), trace.references.tolist()) == ([0, 1, -1], [0])
    assert (trace.lengths.tolist(), trace.counts.tolist(), trace.interval) == ([7, 9, 4], [0, 0, 0], 9)


def test_without_an_expression_answers_are_found_as_always(tmp_path: Path) -> None:
    trace = imported(tmp_path, "question='q'\nsamples='said'", {"q": "?", "said": [r"so \boxed{4}", "the answer is 5"]})
    assert trace.answers == (("4", "5"),)
    assert trace.lengths.tolist() == [3, 4]  # characters / 4
    assert trace.references.tolist() == [-2]


def test_what_was_marked_right_is_the_reference(tmp_path: Path) -> None:
    record = RECORD | {"said": ["1.0/0.5", "two", "2"]}
    mapping = "question='q'\nreference='right'\nsamples='said'\nextract='.+'\ncorrect='marks'\nscores='rewards'"
    trace = imported(tmp_path, mapping, record)
    assert trace.answers == (("2", "two", "2 (marked wrong)"),)
    assert trace.references.tolist() == [0]
    assert trace.scores is not None
    assert trace.scores.tolist() == [0.5, -1.0, 0.0]


PAIRED = {"problem": 0, "gold": "33", "answers": [["33", 120], ["", 0], ["34", 80], [" 33 ", 95]]}
"""As in the published samples of BoInf: answers with their lengths, and no text."""


def test_pairs_of_answer_and_tokens_are_replayed(tmp_path: Path) -> None:
    trace = imported(
        tmp_path, "question='problem'\nreference='gold'\npairs='answers'", PAIRED, PAIRED | {"problem": 1, "gold": "34"}
    )
    assert trace.questions == ("0", "1")
    assert trace.answers == (("33", "34"), ("33", "34"))
    assert trace.lengths.tolist() == 2 * [120, 0, 80, 95]
    assert trace.finals.tolist() == 2 * [0, -1, 1, 0]
    played = methods("self-consistency(n=4)")[0].play(trace, orders=3, interpreted=True)
    assert (played.accuracy, played.tokens.tolist()) == (0.5, 2 * [3 * [295]])


@pytest.mark.parametrize(
    ("mapping", "pairs", "words"),
    [
        ("pairs='answers'", [["33", 1], ["33"]], r"answers\[1\] must be \[answer, tokens\], not \['33'\]"),
        ("pairs='answers'", [["33", 1.5]], r"answers: tokens\[0\] must be a whole number"),
        ("pairs='answers'", "33", "answers must be a list of"),
        ("pairs='answer'", [["33", 1]], "has no 'answer'"),
        ("pairs='answers'\nlengths='l'", [["33", 1]], "leave out lengths"),
    ],
)
def test_broken_pairs_are_named(tmp_path: Path, mapping: str, pairs: Any, words: str) -> None:
    with pytest.raises(PonderError, match=words):
        imported(tmp_path, f"question='problem'\n{mapping}", PAIRED | {"answers": pairs})


def test_texts_are_kept(tmp_path: Path) -> None:
    imported(tmp_path, "question='q'\nsamples='said'", RECORD)
    (_, question), *_ = TraceFile(tmp_path / "out.parquet").questions(texts=True)
    assert [branch.text for branch in question.branches] == RECORD["said"]


@pytest.mark.parametrize(
    ("mapping", "kind", "words"),
    [
        ("question='q'", InvalidOption, "needs question, and samples, answers or pairs"),
        ("question='q'\nanswers='a'", InvalidOption, "there must be lengths"),
        ("question='q'\nsample='a'", UnknownName, "did you mean 'samples'"),
        ("question=", InvalidOption, "no valid TOML"),
        ("question=3", InvalidOption, "question must be text, not 3"),
        ("question='q'\nsamples='said'\nextract='('", InvalidOption, "no regular expression"),
        ("question='q'\nsamples='said'\ncharacters_per_token=0", InvalidOption, "between 0.01 and 1000, not 0"),
        ("question='q'\nsamples='say'", TraceError, "line 1: has no 'say'; its fields are q, right, said"),
        ("question='q'\nsamples='q'", TraceError, "line 1: q must be a list"),
        ("question='q'\nsamples='size'", TraceError, r"line 1: size[0] must be text, not 7"),
        ("question='q'\nsamples='said'\ncorrect='size'", TraceError, r"size[0] must be true or false, not 7"),
        ("question='q'\nsamples='said'\nlengths='marks'", TraceError, r"marks[0] must be a whole number"),
        ("question='q'\nsamples='said'\nreference='said'", TraceError, "said must be text or a number"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path: Path, mapping: str, kind: type[PonderError], words: str) -> None:
    with pytest.raises(kind) as caught:
        imported(tmp_path, mapping, RECORD)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out.parquet").exists()


@pytest.mark.parametrize("line", ["[1]", "{", '{"q": "?", "said": []}', '{"q": "?", "said": ["a"]}'])
def test_the_line_that_is_wrong_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "map.toml").write_text("question='q'\nsamples='said'")
    (tmp_path / "data.jsonl").write_text(json.dumps(RECORD) + "\n" + line + "\n")
    mapping = read_mapping(tmp_path / "map.toml")
    with pytest.raises(TraceError, match=r"line 2|question 1"):
        import_samples([tmp_path / "data.jsonl"], mapping, tmp_path / "out.parquet", extract)


DATE = """
model = "gpt-3.5-turbo"
question = "question"
reference = "answer"
samples = "generated"
answers = "results"
"""

MATH = """
question = "question"
reference = "gt"
samples = "code"
answers = "pred"
correct = "score"
scores = "pred_score"
"""

PROGRAMS = r"""
question = "prompt"
samples = "samples"
extract = '(?s)\A(.*)\Z'
correct = "passed"
characters_per_token = 3.0
"""


ANSWERS = ["05/01/2021", "04/30/2021", "05/02/2020"]


def dates(draw: random.Random, right: Sequence[bool]) -> dict[str, Any]:
    """Text that ends in the answer, and the answers apart."""
    said = [ANSWERS[0] if one else draw.choice(ANSWERS[1:]) for one in right]
    texts = [f"Explain: that is {draw.randint(1, 30)} days on.\nA: {answer}" for answer in said]
    return {"question": "Which day?", "answer": ANSWERS[0], "generated": texts, "results": said}


def sums(draw: random.Random, right: Sequence[bool]) -> dict[str, Any]:
    """Answers in several spellings, whether each was marked right, and the scores of a reward model."""
    said = [draw.choice([r"\frac{1}{2}", "0.5", "1/2"]) if one else draw.choice(["2", r"\frac{1}{3}"]) for one in right]
    return {
        "question": "Half of one?",
        "gt": r"\frac{1}{2}",
        "code": [f"It is \\(\\boxed{{{answer}}}\\)." for answer in said],
        "pred": said,
        "score": list(right),
        "pred_score": [[draw.uniform(-3, 3)] for _ in right],
    }


def programs(draw: random.Random, right: Sequence[bool]) -> dict[str, Any]:
    """Whole programs, whose text is the answer, no two the same; which of them pass."""
    return {
        "prompt": "def half(x):\n",
        "samples": [
            f"    return x {'/' if one else '*'} {2 + draw.randint(0, 9)}  # {n}\n" for n, one in enumerate(right)
        ],
        "passed": list(right),
    }


@pytest.mark.parametrize(("made", "mapping"), [(dates, DATE), (sums, MATH), (programs, PROGRAMS)])
def test_three_shapes(tmp_path: Path, made: Any, mapping: str) -> None:
    """As published, made by chance."""
    draw = random.Random(0)
    right = [[draw.random() < question / 12 for _ in range(20)] for question in range(12)]
    records = [made(draw, one) for one in right]
    trace = imported(tmp_path, mapping, *records)
    correct = trace.finals.reshape(-1, trace.branches) == trace.references[:, None]
    assert correct.tolist() == right


@pytest.mark.parametrize(
    ("files", "mapping", "shape", "right", "solvable"),
    [
        (["date-gpt35/cot1_40.jsonl.zst"], DATE, (369, 40), 0.6144, 0.8238),
        (["math-rm8/samples.jsonl.zst"], MATH, (100, 8), 0.91, 0.96),
        (
            ["humaneval-codegen16b/code_samples.jsonl.zst", "humaneval-codegen16b/official_test_results.jsonl.zst"],
            PROGRAMS,
            (164, 100),
            0.2215,
            0.7378,
        ),
    ],
)
def test_three_real_shapes(
    tmp_path: Path, files: list[str], mapping: str, shape: tuple[int, int], right: float, solvable: float
) -> None:
    (tmp_path / "map.toml").write_text(mapping)
    import_samples(
        [shared_data(f"samples/{file}") for file in files],
        read_mapping(tmp_path / "map.toml"),
        tmp_path / "out.parquet",
        extract,
    )
    trace = load_trace(tmp_path / "out.parquet")
    correct = trace.finals.reshape(-1, trace.branches) == trace.references[:, None]
    assert correct.shape == shape
    assert correct.mean() == pytest.approx(right, abs=1e-4)
    assert correct.any(1).mean() == pytest.approx(solvable, abs=1e-4)
