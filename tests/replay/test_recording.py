"""Recording a trace: branches that grow together, probes that disturb nothing, work that is done once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ponder.answers import Answers
from ponder.backends.llamacpp import LlamaCpp
from ponder.backends.scripted import Scripted
from ponder.backends.weights import resolve
from ponder.core.backend import Capability, Request
from ponder.core.budget import Budget
from ponder.core.errors import (
    BackendError,
    BudgetExhausted,
    InvalidOption,
    InvalidProblem,
    Rejected,
    TraceError,
    UnknownName,
    UsageError,
    WeightsError,
)
from ponder.core.settings import PROBE, Settings
from ponder.replay.load import load_trace
from ponder.replay.recording.problems import Asked, problems_in, suite
from ponder.replay.recording.record import Headway, Recording, record
from ponder.replay.traces.read import TraceFile
from ponder.replay.traces.trace import RecordedQuestion

pytestmark = pytest.mark.anyio

ASKED = [Asked("half of one?", "1/2"), Asked("one of two?", "5")]

TEXTS = [
    "we see that it is so. Answer: \\boxed{0.5}",
    "surely Answer: \\boxed{7}",
    "nobody ever knows what to say about things like that at all",
]


def script(request: Request, index: int) -> str:
    """Branch i says text i; a probe answers with the number of words so far."""
    if request.prefix.endswith(PROBE):
        return f"{request.prefix}{len(request.prefix.removesuffix(PROBE).split())}}}"
    fitting = [text for text in TEXTS if text.startswith(request.prefix)]
    return fitting[index]


async def recorded(out: Path, backend: Any, **changed: Any) -> Headway:
    options = {"interval": 3, "texts": True, "settings": Settings(max_tokens=10), "asked": ASKED, "source": "test"}
    what = Recording(n=3, seed=0, **{**options, **changed})  # type: ignore[arg-type]
    headway = Headway(len(what.asked))
    await record(what, backend, out, lambda problem: Answers(question=problem.question), headway)
    return headway


def questions(file: Path) -> list[RecordedQuestion]:
    return [question for _, question in TraceFile(file).questions(texts=True)]


async def test_a_recording_has_every_interval(tmp_path: Path) -> None:
    await recorded(tmp_path / "t.parquet", Scripted(script))
    half, one = questions(tmp_path / "t.parquet")
    first, second, third = half.branches
    # What means the same as the reference is written as it is; the fifth word is the answer of no probe.
    assert (first.probes, first.probe_tokens, first.final, first.length) == (["3", "6"], [3, 6], "1/2", 8)
    assert (second.probes, second.probe_tokens, second.final, second.length) == ([], [], "7", 3)
    assert (third.probes, third.final, third.length) == (["3", "6", "9"], None, 10)
    assert [branch.finish for branch in half.branches] == ["stop", "stop", "length"]
    assert (first.text, first.probe_costs) == (TEXTS[0], [1, 1])
    assert (half.text, half.reference, one.text) == ("half of one?", "1/2", "one of two?")
    trace = load_trace(tmp_path / "t.parquet")
    assert (trace.references.tolist(), trace.interval, trace.probe_tokens) == ([2, -2], 3, None)


async def test_a_recording_says_what_it_is(tmp_path: Path) -> None:
    await recorded(tmp_path / "t.parquet", Scripted(script))
    about = TraceFile(tmp_path / "t.parquet").about
    assert (about.name, about.model, about.interval, about.probe, about.source) == ("t", "scripted", 3, PROBE, "test")
    assert about.settings["temperature"] == 0.7
    assert about.versions["ponder"]
    assert about.made


async def test_without_continuation_there_is_width_only(tmp_path: Path) -> None:
    backend = Scripted(script, capabilities={Capability.SAMPLE, Capability.N})
    await recorded(tmp_path / "t.parquet", backend, interval=None, texts=False)
    branches = questions(tmp_path / "t.parquet")[0].branches
    assert [(branch.probes, branch.length, branch.text) for branch in branches] == [
        ([], 8, None), ([], 3, None), ([], 10, None)
    ]  # fmt: skip
    assert load_trace(tmp_path / "t.parquet").interval == 10


async def test_what_was_finished_is_not_done_again(tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole.parquet", tmp_path / "parts.parquet"
    await recorded(whole, Scripted(script))

    def refusing(request: Request, index: int) -> Any:
        refused = "one of two?" in str(request.messages)
        return Rejected("no more of that") if refused else script(request, index)

    with pytest.raises(Rejected, match="no more of that"):
        await recorded(parts, Scripted(refusing, concurrency=3))
    assert not parts.exists()
    assert len(load_trace(tmp_path / "parts.parquet.part").questions) == 1
    again = await recorded(parts, Scripted(script))
    assert (again.kept, again.done) == (1, 1)
    assert questions(parts) == questions(whole)
    assert not (tmp_path / "parts.parquet.part").exists()


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"interval": 4}, r"other options \(interval 3, now 4\)"),
        ({"settings": Settings(max_tokens=11)}, r"other options \(max_tokens 10, now 11\)"),
        ({"asked": [Asked("other?", None), ASKED[1]]}, "about another question 0"),
        ({"asked": [Asked(ASKED[0].question, "2"), ASKED[1]]}, "about another question 0"),
    ],
)
async def test_two_recordings_are_not_mixed(tmp_path: Path, changed: dict[str, Any], words: str) -> None:
    def once(request: Request, index: int) -> Any:
        return Rejected("no") if "one of two?" in str(request.messages) else script(request, index)

    with pytest.raises(Rejected):
        await recorded(tmp_path / "t.parquet", Scripted(once, concurrency=3))
    with pytest.raises(UsageError, match=words):
        await recorded(tmp_path / "t.parquet", Scripted(script), **changed)


async def test_nothing_is_overwritten(tmp_path: Path) -> None:
    await recorded(tmp_path / "t.parquet", Scripted(script))
    with pytest.raises(UsageError, match="exists; give another -o"):
        await recorded(tmp_path / "t.parquet", Scripted(script))


async def test_a_gap_is_no_trace(tmp_path: Path) -> None:
    def silent(request: Request, index: int) -> Any:
        return Rejected("no probes here") if request.prefix.endswith(PROBE) else script(request, index)

    with pytest.raises(BackendError, match="the model failed: no probes here"):
        await recorded(tmp_path / "t.parquet", Scripted(silent))


async def test_a_damaged_shard_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "t.parquet.part"
    folder.mkdir()
    (folder / "000000.parquet").write_bytes(b"PAR1")
    with pytest.raises(TraceError, match=r"000000\.parquet: no valid Parquet"):
        await recorded(tmp_path / "t.parquet", Scripted(script))


async def test_the_embedded_model_is_recorded_with_probes(tmp_path: Path) -> None:
    try:
        weights = resolve("local/smollm2-135m")
    except WeightsError as error:
        pytest.skip(f"no weights: {error}")
    model = LlamaCpp("local/smollm2-135m", weights, context=2048, slots=8)
    try:
        await recorded(tmp_path / "t.parquet", model, interval=8, settings=Settings(max_tokens=24), asked=ASKED[:1])
    finally:
        await model.aclose()
    (question,) = questions(tmp_path / "t.parquet")
    for branch in question.branches:
        count = len(branch.probes)
        assert branch.probe_tokens == [8 * (i + 1) for i in range(count)]
        assert branch.probe_costs is not None
        assert 8 * count < branch.length <= min(24, 8 * (count + 1)) or (branch.length == 24 and count == 2)


def test_questions_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "q.jsonl"
    file.write_text('{"question": "1 + 1?", "reference": 2}\n\n{"question": "why?"}\n')
    assert problems_in(file) == [Asked("1 + 1?", "2"), Asked("why?", None)]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "has 0 questions"),
        ('{"question": "a"}\n{"question":\n', "line 2: no valid JSON"),
        ("[]", "line 1: must be an object"),
        ('{"question": ""}', "line 1: the question is empty"),
        ('{"question": "a", "reference": [1]}', "line 1: 'reference' must be text or a number"),
        (b"\xff", "not UTF-8 text: byte 0"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, content: str | bytes, words: str) -> None:
    file = tmp_path / "q.jsonl"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InvalidProblem, match=words):
        problems_in(file)


def test_a_suite_is_the_same_for_the_same_seed() -> None:
    pytest.importorskip("reasoning_gym", reason="reasoning-gym is not installed")
    first = suite("reasoning-gym:chain_sum(max_terms=3)", 5, 1)
    assert first == suite("reasoning-gym:chain_sum(max_terms=3)", 5, 1)
    assert first != suite("reasoning-gym:chain_sum(max_terms=3)", 5, 2)
    with pytest.raises(UnknownName, match="did you mean 'chain_sum'"):
        suite("reasoning-gym:chain_sums", 5, 1)
    with pytest.raises(InvalidOption, match="refuses chain_sum"):
        suite("reasoning-gym:chain_sum(max_terms=0)", 5, 1)


def test_no_such_suite() -> None:
    with pytest.raises(UnknownName, match="known: reasoning-gym"):
        suite("nonsense", 5, 1)


@pytest.mark.parametrize("budget", [Budget(tokens=70), Budget(calls=7)])
async def test_a_budget_holds_over_all_questions_and_the_rest_is_recorded_later(tmp_path: Path, budget: Budget) -> None:
    out, calls = tmp_path / "t.parquet", 0
    asked = [Asked(f"question {i}?", None) for i in range(6)]

    def counting(request: Request, index: int) -> str:
        nonlocal calls
        calls += 1
        return TEXTS[index]

    kept = 0
    for _ in range(6):
        headway, before = Headway(len(asked)), calls
        what = Recording(
            asked=asked, source="t", n=3, interval=None, settings=Settings(max_tokens=10), seed=0, budget=budget
        )
        backend = Scripted(counting, concurrency=12, capabilities={Capability.SAMPLE, Capability.N})
        try:
            await record(what, backend, out, lambda problem: Answers(question=problem.question), headway)
        except BudgetExhausted:
            assert not out.exists(), "it is not whole"
        assert headway.done >= 1
        assert headway.tokens <= (budget.tokens or 10**9)
        assert calls - before <= 3 * headway.done
        assert headway.kept == kept
        kept += headway.done
        if out.exists():
            break
    assert len(load_trace(out).questions) == 6


async def test_time_and_dollars_are_limits_too(tmp_path: Path) -> None:
    with pytest.raises(InvalidOption, match="needs the price"):
        await recorded(tmp_path / "a.parquet", Scripted(script), budget=Budget(usd=1))
    with pytest.raises(BudgetExhausted, match=r"seconds=1e-06 reached"):
        await recorded(tmp_path / "b.parquet", Scripted(script), budget=Budget(seconds=1e-6))
    with pytest.raises(BudgetExhausted, match="tokens=5 reached"):
        await recorded(tmp_path / "c.parquet", Scripted(script), budget=Budget(tokens=5))
