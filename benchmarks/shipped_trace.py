r"""The questions of the trace that is shipped, and the command that records it.

    pip install -e '.[local,replay]' reasoning-gym==0.1.25
    python benchmarks/shipped_trace.py > chain-sum.jsonl
    ponder record --problems chain-sum.jsonl -m local/qwen2.5-coder-0.5b -n 16 --interval 20 --probe-tokens 6 \
        --max-tokens 140 --no-text -o src/ponder/replay/shipped/chain-sum.parquet      # an hour on two cores

Sums of two or three numbers: the family of reasoning-gym on which this model is right about half of the time and short.
"""

from __future__ import annotations

import json

from ponder.replay.recording.problems import suite

SUITE = "reasoning-gym:chain_sum(min_terms=2,max_terms=3,min_digits=2,max_digits=3)"
BRIEF = "\nBe brief: no explanations, one short line of working."


def main() -> None:
    for asked in suite(SUITE, 40, 20261123):
        print(json.dumps({"question": asked.question + BRIEF, "reference": asked.reference}))


if __name__ == "__main__":
    main()
