"""An evaluation by inspect-ai through the gateway; `openai-api/NAME/MODEL` takes NAME_BASE_URL and NAME_API_KEY.

python inspect_eval.py http://127.0.0.1:8080/v1 "ponder/self-consistency(n=3)/qwen3-8b"
"""

from __future__ import annotations

import json
import os
import sys
import tempfile

from inspect_ai import Task, eval
from inspect_ai.dataset import Sample
from inspect_ai.scorer import includes

url, model = sys.argv[1:]
os.environ["GATEWAY_BASE_URL"] = url
os.environ["GATEWAY_API_KEY"] = "no key is needed on loopback"

legs = Task(
    dataset=[
        Sample(input="How many legs has a spider?", target="8"),
        Sample(input="How many legs has an ant?", target="6"),
    ],
    scorer=includes(),
)
with tempfile.TemporaryDirectory() as logs:
    [log] = eval(legs, model=f"openai-api/gateway/{model}", max_retries=0, display="none", log_dir=logs)
    scores = [sample.scores["includes"].value for sample in log.samples]

print(json.dumps({"scores": scores, "usage": [usage.model_dump() for usage in log.stats.model_usage.values()]}))
