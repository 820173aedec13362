"""What the test server says: a function of question, prefix and seed, so that a repeated call repeats its reply."""

from __future__ import annotations

import hashlib
import json
import random
import re
from dataclasses import dataclass
from typing import Any

__all__ = ["Said", "say"]

WORDS = ["we", "see", "that", "the", "sum", "of", "both", "parts", "is", "less", "than", "twice", "that"]


@dataclass(frozen=True)
class Said:
    """One choice: its tokens (a word with the white space before it) and how it ended.

    `calls` are tools that it calls: each the name of one, and its arguments as text.
    """

    tokens: list[str]
    finish: str
    stop: str | None = None
    calls: tuple[tuple[str, str], ...] = ()

    @property
    def text(self) -> str:
        return "".join(self.tokens)


def say(body: dict[str, Any], index: int) -> Said:
    """Choice `index` of the reply to a completion call; what follows a prompt's last blank line is its prefix."""
    if "prompt" in body:
        question, _, prefix = body["prompt"].rpartition("\n\n")
    else:
        question = list(body["messages"])
        prefix = question.pop()["content"] if body.get("continue_final_message") else ""
    text = _json(body) if "response_format" in body else _prose(question, prefix, (body.get("seed") or 0) + index)
    return _within(text, body)


def _prose(question: str | list[dict[str, Any]], prefix: str, seed: int) -> str:
    text = _story(json.dumps(question), seed)
    return text.removeprefix(prefix) if text.startswith(prefix) else _story(json.dumps([question, prefix]), seed)


def _story(about: str, seed: int) -> str:
    rng = random.Random(hashlib.sha256(f"{about}{seed}".encode()).digest())
    words = " ".join(rng.choices(WORDS, k=rng.randint(12, 28)))
    words = words.replace(" the ", ".\n\nThe ").replace(" is ", " is:\n\n") if "17 * 23" in about else words
    return f"{words} 🎉\nAnswer: \\boxed{{{rng.randint(1, 4)}}}"


def _json(body: dict[str, Any]) -> str:
    samples = {"boolean": True, "integer": 7, "string": "seven"}
    schema = body["response_format"]["json_schema"]["schema"]
    return json.dumps({name: samples[of["type"]] for name, of in schema["properties"].items()})


def _within(text: str, body: dict[str, Any]) -> Said:
    found = [(text.find(stop), stop) for stop in body.get("stop") or [] if stop in text]
    at, stop = min(found) if found else (len(text), None)
    tokens = re.findall(r"\s*\S+(?:\s+\Z)?|\s+\Z", text[:at])
    most = body.get("max_tokens") or body.get("max_completion_tokens") or 1024
    if len(tokens) > most:
        return Said(tokens[:most], "length")
    return Said(tokens, "stop", stop)
