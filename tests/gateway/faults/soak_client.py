"""A client that sends requests of all kinds, as a random number generator says."""

from __future__ import annotations

import asyncio
import json
import random
from typing import Any

from aiohttp import ClientSession, DummyCookieJar

from ponder.gateway.upstreams.breaker import COOLING
from tests.gateway.faults.soak_report import FAULTY, LEAVES, STAYS, Report
from tests.gateway.faults.upstream_faults import CASES

__all__ = ["Client"]

ASK: Any = [{"role": "user", "content": "What is 2 + 2?"}]
HEAVY = {name for name in CASES if "huge b" in name or "huge e" in name or "bomb" in name or "without end" in name}
FAULTS = sorted(set(CASES) - HEAVY)
MODELS = ("m", "ponder/single/m", "ponder/self-consistency(n=3)/m", "ponder/adaptive-consistency(n=6)/m")


class Client:
    """Sends the requests of one run, as a random number generator says: over HTTP itself, as the SDK takes its time."""

    def __init__(self, url: str, keys: dict[str, str], rng: random.Random, faults: float, report: Report) -> None:
        self.report = report
        self._url = f"{url}/chat/completions"
        self._headers = {name: {"Authorization": f"Bearer {key}"} for name, key in keys.items()}
        self._rng = rng
        self._faults = faults
        self._session = ClientSession(cookie_jar=DummyCookieJar())

    async def aclose(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def one(self) -> None:
        """Send one at random."""
        rng = self._rng
        model, stream = rng.choice(MODELS), rng.random() < 0.5
        leaves = rng.random() < 0.1
        fault = rng.choice(FAULTS) if not leaves and rng.random() < self._faults else ""
        key = FAULTY if fault else LEAVES if leaves or "adaptive" in model else STAYS
        kind = "leaves" if leaves else "fault" if fault else f"{model} {'stream' if stream else 'whole'}"
        fields = {"model": model, "stream": stream, "seed": rng.randrange(10**6)}
        patience = rng.uniform(0.001, 0.3) if leaves else 300
        try:
            async with asyncio.timeout(patience):
                said = await self.ask(key, fault, **fields)
        except TimeoutError:
            said = "left" if leaves else "HANGS"
        except Exception as error:  # noqa: BLE001 - whatever it is, it is no answer
            said = f"UNTYPED {error!r}"
        self.report.outcomes[kind, said] += 1
        if said == "upstream_down":
            await asyncio.sleep(COOLING)  # as Retry-After says: the requests are to find the upstream up

    async def ask(self, key: str, fault: str = "", **fields: Any) -> str:
        """Send one: ``"answer"``, or the code of an error."""
        body = {"messages": ASK, "max_tokens": 64, "user": f"{key}: {fault}", **fields}
        if fields.get("stream"):
            body["stream_options"] = {"include_usage": True}
        headers = {**self._headers[key], "x-ponder-deadline": "8" if fault else "300"}
        async with self._session.post(self._url, json=body, headers=headers) as response:
            data = await response.read()
        events = response.content_type == "text/event-stream"
        said, usage = _told(_payloads(data) if events else [json.loads(data)], response.status)
        if key != FAULTY:  # what those are told is no count
            self.report.received[key] += usage.get("completion_tokens", 0)
        return said


def _payloads(data: bytes) -> list[Any]:
    lines = [line.removeprefix("data: ") for line in data.decode().splitlines() if line.startswith("data: ")]
    assert lines[-1] == "[DONE]", lines[-1]
    return [json.loads(line) for line in lines[:-1]]


def _told(payloads: list[Any], status: int) -> tuple[str, dict[str, Any]]:
    """What came of a request, and its usage."""
    said, usage = "EMPTY", {}
    for payload in payloads:
        if error := payload.get("error"):
            assert error["message"], payload
            return str(error.get("code") or status), usage
        usage = payload.get("usage") or usage
        for choice in payload["choices"]:
            if (choice.get("message") or choice.get("delta") or {}).get("content"):
                said = "answer"
    return said, usage
