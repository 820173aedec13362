"""Which form of the request for a final answer models follow.

    python benchmarks/instruction_forms.py run replies.jsonl     asks every model every question in every form
    python benchmarks/instruction_forms.py report replies.jsonl  prints the table

The questions are the 60 of `benchmarks/instruction/questions.jsonl`: sums and word problems, multiple choice, yes or
no, everyday facts. Each is asked once, at temperature 0.7, with a seed that depends on the question only. A run that
was cut off goes on where it was.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ponder.answers import Answers, extract
from ponder.backends import connect
from ponder.bench.stats import flip_test
from ponder.core.backend import Backend, Progress, Request
from ponder.core.problem import Problem

QUESTIONS = Path(__file__).parent / "instruction" / "questions.jsonl"
MODELS = ("local/smollm2-135m", "local/qwen2.5-coder-0.5b", "local/qwen2.5-coder-1.5b")
FORMS = {
    "placeholder": "Think step by step, then give the final answer on the last line as: Answer: \\boxed{...}",
    "boxed": "Think step by step, and put your final answer within \\boxed{}.",
    "line": 'Think step by step. Then write "Answer:" followed by the final answer alone, as the last line.',
    "end": 'Think step by step. End with a line that begins with "Answer:" and gives only the final answer.',
    "question-last": 'Think step by step, then give the final answer on the last line after "Answer:".',
    "none": "",
}
NOW = "line"
"""The form that Ponder uses: the others are compared with it."""
MAX_TOKENS = 300
TOGETHER = 8
LINE = re.compile(
    r"^[*_#> ]{0,6}(?:final )?answer[*_]{0,3}: ?[*_]{0,3} ?(?=\S)(.{1,200})$", re.IGNORECASE | re.MULTILINE
)
BOX = re.compile(r"\\boxed\{([^{}]{1,200})\}")
COPIED = re.compile(
    r"[.…_\s\\{}\[\]<>]*|\[.*|.*\.\.\..*|\\boxed\{\.\.\.\}.*|(?:your |the )?(?:final )?answer\.?", re.IGNORECASE
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["run", "report"])
    parser.add_argument("replies", type=Path)
    parser.add_argument("--model", action="append", help="a model to ask; by default the three embedded ones")
    parser.add_argument("--form", action="append", choices=FORMS, help="a form to ask in; by default all")
    given = parser.parse_args()
    if given.what == "run":
        for model in given.model or MODELS:
            asyncio.run(ask(model, given.form or list(FORMS), given.replies))
    else:
        asyncio.run(report(given.replies))


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


async def ask(model: str, forms: list[str], replies: Path) -> None:
    known = {(row["model"], row["form"], row["question"]) for row in rows(replies)}
    backend = await asyncio.to_thread(connect, model)  # weights take their time
    limit = asyncio.Semaphore(TOGETHER)
    with replies.open("a", encoding="utf-8") as file:
        waiting = [
            answered(backend, limit, file, {"model": model, "form": form, "question": one["question"]}, seed)
            for seed, one in enumerate(rows(QUESTIONS))
            for form in forms
            if (model, form, one["question"]) not in known
        ]
        await asyncio.gather(*waiting)
    await backend.aclose()


async def answered(backend: Backend, limit: asyncio.Semaphore, file: Any, row: dict[str, Any], seed: int) -> None:
    messages = Problem.of(row["question"], instruction=FORMS[row["form"]]).messages
    async with limit:
        request = Request(messages=messages, max_tokens=MAX_TOKENS, temperature=0.7, seed=seed)
        [choice] = (await backend.generate(request, Progress())).choices
    file.write(json.dumps({**row, "reply": choice.text, "tokens": choice.tokens, "finish": choice.finish}) + "\n")
    file.flush()


async def report(replies: Path) -> None:
    right = {one["question"]: one["answer"] for one in rows(QUESTIONS)}
    print("| model | form | asked | stated as asked | copied placeholder | an answer found | right | p | tokens |")
    print("|---|---|---|---|---|---|---|---|---|")
    marks: dict[tuple[str, str], dict[str, bool]] = {}
    for model, form, group in groups(rows(replies)):
        marks[model, form] = {row["question"]: await correct(row["reply"], right[row["question"]]) for row in group}
    for model, form, group in groups(rows(replies)):
        good = list(marks[model, form].values())
        p = chance(marks[model, form], marks[model, NOW])
        found = sum(extract(row["reply"]) is not None for row in group)
        said = [statement(row["reply"]) for row in group]
        stated, copied = said.count("stated"), said.count("copied")
        tokens = sum(row["tokens"] for row in group) / len(group)
        shown = (model, form, len(group), stated, copied, found, sum(good), f"{p:.2f}", f"{tokens:.0f}")
        print("| " + " | ".join(map(str, shown)) + " |")


def groups(all_rows: list[dict[str, Any]]) -> Iterator[tuple[str, str, list[dict[str, Any]]]]:
    for model in dict.fromkeys(row["model"] for row in all_rows):
        for form in FORMS:
            if group := [row for row in all_rows if (row["model"], row["form"]) == (model, form)]:
                yield model, form, group


def chance(one: dict[str, bool], other: dict[str, bool]) -> float:
    """The two-sided p of a difference in rights, paired over the questions that both were asked."""
    both = one.keys() & other.keys()
    more = np.array([[float(one[question]) - float(other[question])] for question in sorted(both)])
    return min(1.0, 2 * float(flip_test(np.hstack([more, -more])).min()))


async def correct(reply: str, answer: str) -> bool:
    found = extract(reply)
    return found is not None and await Answers().same(found, answer)


def statement(reply: str) -> str:
    """What the reply has in the form that was asked for: an answer, a copied placeholder, or nothing."""
    said = [match[1].strip(" *_$`") for pattern in (BOX, LINE) for match in pattern.finditer(reply)]
    if not said:
        return "none"
    return "copied" if all(COPIED.fullmatch(one) for one in said) else "stated"


if __name__ == "__main__":
    main()
