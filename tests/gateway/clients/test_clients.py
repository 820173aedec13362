"""Other clients than the SDK, as their users run them: each script is the example that one would show to them."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from gateway_process import Gateway

from tests.servers.chat import ChatServer
from tests.servers.replies import Said, say

SCRIPTS = Path(__file__).parent / "scripts"
EMBEDDED = "ponder/self-consistency(n=3)/local/smollm2-135m"
SCRIPTED = "ponder/self-consistency(n=3)/test-model"
NOWHERE = "http://127.0.0.1:9"


def run(script: str, environment: str, gateway: Gateway, model: str) -> Any:
    """What a script prints; it can reach nothing but this machine."""
    place = os.environ.get("PONDER_CLIENTS")
    if place is None:
        pytest.skip("PONDER_CLIENTS does not say where the clients are installed; .ci/run installs them")
    python = Path(place) / environment / "bin" / "python"
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "LANG"))}
    apart = {"HTTP_PROXY": NOWHERE, "HTTPS_PROXY": NOWHERE, "NO_PROXY": "127.0.0.1"}
    done = subprocess.run(
        [python, SCRIPTS / script, gateway.url, model], env=kept | apart, capture_output=True, text=True, timeout=250
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def calls_the_weather(body: dict[str, Any], index: int) -> Said:
    """One of three calls a tool with another city; with the tool's result, and in a form, they agree."""
    if "response_format" in body:
        return say(body, index)
    if body["messages"][-1]["role"] == "tool":
        return Said(["Take", " an", " umbrella."], "stop")
    city = "Paris" if index == 0 else "Oslo"
    return Said([], "tool_calls", calls=(("weather", json.dumps({"city": city})),))


def counts_legs(body: dict[str, Any], index: int) -> Said:
    """One of three miscounts, in the form that DSPy asks for if it does."""
    text = json.dumps(body["messages"])
    legs = "7" if index == 0 else "6" if "ant?" in text else "8"
    if "[[ ## answer ## ]]" in text:
        return Said([f"[[ ## answer ## ]]\n{legs}\n\n", "[[ ## completed ## ]]"], "stop")
    return Said(["It", " has", " legs.\n", f"Answer: {legs}"], "stop")


def test_langchain(embedded: Gateway) -> None:
    said = run("langchain_chat.py", "openai-3", embedded, EMBEDDED)
    assert said["text"]
    assert 3 <= said["usage"]["output_tokens"] <= 3 * 24
    assert "".join(said["pieces"])


def test_langchain_tools_and_structured_output(gateway: Gateway, server: ChatServer) -> None:
    server.says = calls_the_weather
    said = run("langchain_tools.py", "openai-3", gateway, SCRIPTED)
    assert said["creature"] == {"name": "seven", "legs": 7}
    assert said["calls"] == said["streamed"] == [["weather", {"city": "Oslo"}]], "the majority's"
    assert said["answer"] == "Take an umbrella."
    [result] = {
        message["content"] for body in server.bodies for message in body["messages"] if message["role"] == "tool"
    }
    assert result == "Rain in Oslo"


def test_llamaindex(embedded: Gateway) -> None:
    said = run("llamaindex_chat.py", "openai-2", embedded, EMBEDDED)
    assert said["text"]
    assert said["completion"]
    assert "".join(said["pieces"])


def test_dspy(gateway: Gateway, server: ChatServer) -> None:
    server.says = counts_legs
    said = run("dspy_predict.py", "openai-2", gateway, SCRIPTED)
    assert said["answer"] == 8, "the majority's"
    assert said["usage"]["completion_tokens"] == 3 * 2, "of all branches"


def test_inspect_ai(gateway: Gateway, server: ChatServer) -> None:
    server.says = counts_legs
    said = run("inspect_eval.py", "openai-3", gateway, SCRIPTED)
    assert said["scores"] == ["C", "C"], "C is correct"
    [usage] = said["usage"]
    assert usage["output_tokens"] == 2 * 3 * 4, "of all branches"
