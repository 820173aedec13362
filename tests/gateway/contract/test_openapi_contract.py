"""The gateway keeps its own OpenAPI document: schemathesis makes requests of it, right ones and wrong ones.

For more of them: ``CONTRACT_EXAMPLES=1000 pytest --timeout 0 tests/gateway/contract``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gateway_process import EXECUTABLE, Gateway, serving

from tests.servers.chat import ChatServer, running
from tests.servers.replies import Said

EXAMPLES = os.environ.get("CONTRACT_EXAMPLES", "10")

CONFIG = """
[server]
store = "gateway.db"
queue = 4096
[upstreams.only]
url = "{url}"
models = ["m"]
[defaults.models]
m = "self-consistency(n=2)"
[caps]  # those of this machine are no part of the contract
n = 4096
depth = 1_000_000
branches = 4096
seconds = 86_400
prompt_bytes = 100_000_000
"""

SETTINGS = """
[generation]
allow-extra-parameters = false  # headers that nobody knows are to be ignored (RFC 9110, section 5.1)
[checks.positive_data_acceptance]  # 422: the same Idempotency-Key for another request
expected-statuses = ["2xx", "401", "403", "404", "409", "422", "429", "504"]
[checks.not_a_server_error]  # 504: the deadline that the client itself has set
expected-statuses = ["2xx", "4xx", "504"]
"""

SAID = {  # in languages of their own, of which the document can say no more than that they are text
    "strategy": ["self-consistency(n=3)", "adaptive-consistency@0.1"],
    "budget": ["tokens=2M", "calls=100,seconds=1000"],
    "verifier": ["p-yes", "p-yes(k=2)"],
}
MODELS = ["m", "ponder/m", "ponder/single/m", "nobody/knows"]


@pytest.fixture(scope="module")
def upstream() -> Iterator[ChatServer]:
    with running(ChatServer(says=lambda body, index: Said(["So", " it", " is."], "stop"))) as server:
        yield server


@pytest.fixture(scope="module")
def config(upstream: ChatServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("contract") / "gateway.toml"
    path.write_text(CONFIG.format(url=upstream.url))
    path.with_name("schemathesis.toml").write_text(SETTINGS)
    return path


@pytest.fixture(scope="module")
def key(config: Path) -> str:
    made = subprocess.run([EXECUTABLE, "keys", "add", "it", "-c", str(config)], capture_output=True, check=True)
    return made.stdout.decode().strip()


@pytest.fixture(scope="module")
def gateway(config: Path, key: str) -> Iterator[Gateway]:
    with serving("--config", str(config), store=config.with_name("runs.db")) as gateway:
        yield gateway


def deepened(document: dict[str, Any]) -> dict[str, Any]:
    """The document with values that mean something: at random, no request would get past the name of its model."""
    schemas = document["components"]["schemas"]
    for name, values in SAID.items():
        schemas["Ponder"]["properties"][name] = {"anyOf": [{"enum": values}, {"type": "null"}]}
    for name in ("ChatRequest", "TextRequest"):
        schemas[name]["properties"]["model"] = {"enum": MODELS}
    del schemas["Ponder"]["properties"]["n"]  # not every strategy has it
    return document


@pytest.mark.parametrize(("deep", "phases"), [(False, "fuzzing"), (True, "coverage,fuzzing,stateful")])
def test_all_checks_of_schemathesis_are_clean(
    gateway: Gateway, config: Path, key: str, deep: bool, phases: str
) -> None:
    root = gateway.url.removesuffix("/v1")
    with urllib.request.urlopen(f"{root}/openapi.json") as response:
        document = json.load(response)
    path = config.with_name("openapi.json")
    path.write_text(json.dumps(deepened(document) if deep else document))
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("schemathesis")), "run", str(path), "--url", root,
            "--header", f"Authorization: Bearer {key}", "--checks", "all", "--mode", "all",
            "--max-examples", EXAMPLES, "--seed", "1", "--generation-database", "none", "--no-color",
            "--continue-on-failure", "--warnings", "off", "--phases", phases,
        ],
        cwd=config.parent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert f"Tested: {len(document['paths'])}" in done.stdout
