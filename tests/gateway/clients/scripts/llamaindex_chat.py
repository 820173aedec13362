"""LlamaIndex through the gateway, as an `OpenAILike` server.

python llamaindex_chat.py http://127.0.0.1:8080/v1 "ponder/self-consistency(n=3)/qwen3-8b"
"""

from __future__ import annotations

import json
import sys

from llama_index.core.llms import ChatMessage
from llama_index.llms.openai_like import OpenAILike

url, model = sys.argv[1:]
llm = OpenAILike(
    api_base=url, model=model, api_key="no key is needed on loopback", is_chat_model=True, max_tokens=24, max_retries=0
)

messages = [ChatMessage(role="system", content="You count."), ChatMessage("How many legs has a spider?")]
reply = llm.chat(messages)
pieces = [piece.delta for piece in llm.stream_chat(messages)]
completion = llm.complete("How many legs has a spider?")

print(json.dumps({"text": reply.message.content, "pieces": pieces, "completion": completion.text}))
