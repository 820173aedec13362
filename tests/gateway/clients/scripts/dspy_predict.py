"""DSPy through the gateway: its signatures and modules see a language model like any other.

python dspy_predict.py http://127.0.0.1:8080/v1 "ponder/self-consistency(n=3)/qwen3-8b"
"""

from __future__ import annotations

import json
import sys

import dspy

url, model = sys.argv[1:]
lm = dspy.LM(f"openai/{model}", api_base=url, api_key="no key is needed on loopback", cache=False, num_retries=0)
dspy.configure(lm=lm)

predicted = dspy.Predict("question -> answer: int")(question="How many legs has a spider?")

print(json.dumps({"answer": predicted.answer, "usage": dict(lm.history[-1]["usage"])}))
