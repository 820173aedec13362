"""LangChain's tools and structured output through the gateway: both are voted on by value.

python langchain_tools.py http://127.0.0.1:8080/v1 "ponder/self-consistency(n=3)/qwen3-8b"
"""

from __future__ import annotations

import json
import sys

from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel


class Creature(BaseModel):
    """A creature and its legs."""

    name: str
    legs: int


@tool
def weather(city: str) -> str:
    """The weather in a city."""
    return f"Rain in {city}"


url, model = sys.argv[1:]
chat = ChatOpenAI(base_url=url, model=model, api_key="no key is needed on loopback", max_retries=0)

creature = chat.with_structured_output(Creature).invoke("Describe a spider.")

agent = chat.bind_tools([weather])
asked = agent.invoke("What is the weather in Oslo?")
results = [weather.invoke(call) for call in asked.tool_calls]
answer = agent.invoke([("user", "What is the weather in Oslo?"), asked, *results])

streamed = None
for piece in agent.stream("What is the weather in Oslo?"):
    streamed = piece if streamed is None else streamed + piece

print(
    json.dumps(
        {
            "creature": creature.model_dump(),
            "calls": [[call["name"], call["args"]] for call in asked.tool_calls],
            "streamed": [[call["name"], call["args"]] for call in streamed.tool_calls],
            "answer": answer.text,
        }
    )
)
