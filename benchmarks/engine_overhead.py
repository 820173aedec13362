"""What an engine adds to the calls it makes: Ponder, a bare aiohttp loop, its_hub and optillm side by side.

    python benchmarks/engine_overhead.py            # about four minutes, once the environments are made
    python benchmarks/engine_overhead.py --quick    # 20 questions, once each

Each client asks 100 questions with 64 samples each and votes. The server is a process of its own, new for each
client, that answers a call in 100 ms and holds at most 100 calls; each client keeps at most 100 calls under way, one
call for one sample. The clients take turns; every figure is the median of three turns, every ratio the median of the
ratios to the bare loop of the same turn. CPU time is that of the client with its child processes, after a warm-up
question; the server's is shown apart, with how late its replies were, to show that it is not what is measured.
On a machine that is busy with something else, wall times say nothing; the load at the start is printed.

What could not be made equal:

* its_hub 1.2.0 has two rows. `its_hub` bounds its calls with its own orchestrator. `its_hub (open)` goes without it,
  and the limit of 100 connections that aiohttp sets by itself is its bound.
* optillm 0.4.0 samples a question one call after the other with the synchronous client of openai 3.54.0, so it
  gets 100 threads, one for each question. Its vote compares whole texts, which is part of its CPU time. It runs
  once, for it takes several times as long as the others.
* Ponder and its_hub have four questions open at a time. The bare loop has no questions, only calls.
* Ponder has two rows as well: `ponder (store)` writes every call ahead to a run store on disk, as nobody else does.
* The bare loop, Ponder and its_hub run on aiohttp 3.14.5. `overhead/environments.py` pins the other versions.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from overhead.environments import ITS_HUB, OPTILLM, Environment
from overhead.upstream import stats_of, upstream

__all__: list[str] = []

HERE = Path(__file__).parent / "overhead"
SAMPLES = 64
CONCURRENCY = 100
LATENCY = 0.1

Figures = dict[str, float]


@dataclass(frozen=True, slots=True)
class Client:
    """A program in `overhead/clients`, and the environment it runs in; None is the one of this process."""

    name: str
    script: str
    arguments: tuple[str, ...] = ()
    environment: Environment | None = None
    turns: int = 3


BARE = Client("bare aiohttp", "bare.py")
CLIENTS = (
    BARE,
    Client("ponder", "ponder_client.py", ("plain",)),
    Client("ponder (store)", "ponder_client.py", ("journalled",)),
    Client("its_hub", "its_hub_client.py", ("bounded",), ITS_HUB),
    Client("its_hub (open)", "its_hub_client.py", ("open",), ITS_HUB),
    Client("optillm", "optillm_client.py", (), OPTILLM, turns=1),
)


def _run(client: Client, python: Path, questions: int) -> Figures:
    """One turn of one client.

    Raises:
        SystemExit: the client failed, made another number of calls, or voted wrongly.
    """
    with upstream(LATENCY, CONCURRENCY) as url:
        job = f"--url {url}/v1 --questions {questions} --samples {SAMPLES} --concurrency {CONCURRENCY}"
        command = [str(python), str(HERE / "clients" / client.script), *client.arguments, *job.split()]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
        served = stats_of(url)
    if done.returncode:
        raise SystemExit(f"{client.name} failed with exit code {done.returncode}; its message is above")
    told = json.loads(done.stdout.splitlines()[-1])
    _check(client, told["answers"], served, questions)
    calls = questions * SAMPLES
    return {
        "wall_s": told["wall_s"],
        "cpu_ms_per_call": 1000 * told["cpu_s"] / calls,
        "server_cpu_ms_per_call": 1000 * served["cpu_s"] / served["requests"],
        "server_late_ms": 1000 * served["late_s"] / served["requests"],
        "peak_calls": served["peak"],
    }


def _check(client: Client, answers: list[str | None], served: dict[str, Any], questions: int) -> None:
    expected = (questions + 1) * SAMPLES  # one more question for the warm-up
    if not served["requests"] == served["choices"] == expected:
        raise SystemExit(f"{client.name} made {served['requests']} calls for {expected} samples")
    right = sum(answer == f"1{number:04d}" for number, answer in enumerate(answers))
    if right != questions:
        raise SystemExit(f"{client.name} voted right on {right} of {questions} questions")


def _measure(clients: list[Client], folder: Path, questions: int, turns: int) -> dict[str, list[Figures]]:
    pythons = {c.name: c.environment.python(folder) if c.environment else Path(sys.executable) for c in clients}
    measured: dict[str, list[Figures]] = {client.name: [] for client in clients}
    for turn in range(turns):
        for client in clients:
            if turn < client.turns:
                print(f"turn {turn + 1} of {turns}: {client.name}", file=sys.stderr, flush=True)
                figures = _run(client, pythons[client.name], questions)
                bare = measured[BARE.name][turn] if client is not BARE else figures
                figures["wall_ratio"] = figures["wall_s"] / bare["wall_s"]
                figures["cpu_ratio"] = figures["cpu_ms_per_call"] / bare["cpu_ms_per_call"]
                measured[client.name].append(figures)
    return measured


def _medians(turns: list[Figures]) -> Figures:
    return {name: median(figures[name] for figures in turns) for name in turns[0]}


def _table(medians: dict[str, Figures], questions: int, load: float) -> str:
    columns = {
        "wall s": ("wall_s", ".2f"),
        "x bare": ("wall_ratio", ".2f"),
        "CPU ms/call": ("cpu_ms_per_call", ".3f"),
        "x bare ": ("cpu_ratio", ".2f"),
        "server CPU ms/call": ("server_cpu_ms_per_call", ".3f"),
        "server late ms": ("server_late_ms", ".2f"),
    }
    width = max(map(len, medians))
    lines = [
        (
            f"{questions} questions x {SAMPLES} samples, {CONCURRENCY} calls at once, {1000 * LATENCY:.0f} ms each;"
            f" no client can be faster than {questions * SAMPLES / CONCURRENCY * LATENCY:.2f} s"
        ),
        f"load average at the start: {load:.2f} on {os.cpu_count()} cores",
        "  ".join((" " * width, *columns)),
    ]
    for name, figures in medians.items():
        cells = (f"{figures[key]:{len(title)}{form}}" for title, (key, form) in columns.items())
        lines.append("  ".join((f"{name:{width}}", *cells)))
    return "\n".join(lines)


def main() -> None:
    """Run the benchmark and print a table, or with `--json` everything that was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="20 questions, one turn each")
    parser.add_argument("--json", action="store_true", help="print every turn as JSON")
    parser.add_argument("--only", metavar="TEXT", help="beside the bare loop, only clients with TEXT in their name")
    parser.add_argument("--env-dir", type=Path, default=Path.home() / ".cache" / "ponder" / "bench-envs")
    options = parser.parse_args()
    questions, turns = (20, 1) if options.quick else (100, 3)
    clients = [c for c in CLIENTS if c is BARE or not options.only or options.only in c.name]
    load = os.getloadavg()[0]
    measured = _measure(clients, options.env_dir, questions, turns)
    medians = {name: _medians(figures) for name, figures in measured.items()}
    if options.json:
        print(json.dumps({"questions": questions, "load": load, "medians": medians, "turns": measured}, indent=1))
    else:
        print(_table(medians, questions, load))


if __name__ == "__main__":
    main()
