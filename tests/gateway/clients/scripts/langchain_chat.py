"""LangChain through the gateway: only the base URL and the name of the model are not the usual ones.

python langchain_chat.py http://127.0.0.1:8080/v1 "ponder/self-consistency(n=3)/qwen3-8b"
"""

from __future__ import annotations

import json
import sys

from langchain_openai import ChatOpenAI

url, model = sys.argv[1:]
chat = ChatOpenAI(base_url=url, model=model, api_key="no key is needed on loopback", max_tokens=24, max_retries=0)

reply = chat.invoke([("system", "You count."), ("user", "How many legs has a spider?")])
pieces = [piece.text for piece in chat.stream("How many legs has a spider?")]

print(json.dumps({"text": reply.text, "usage": reply.usage_metadata, "pieces": pieces}))
