"""The official OpenAI SDK, unchanged, against the proxy: openai_sdk.py BASE_URL"""

import sys

from openai import OpenAI

client = OpenAI(base_url=sys.argv[1], api_key="unused", timeout=900)
# Emulated, every token takes a while: the system's words replace the template's own, which are more.
system = {"role": "system", "content": "Be brief."}
question = {"role": "user", "content": "What is the capital of France?"}
request = dict(model=client.models.list().data[0].id, messages=[system, question], max_tokens=8, temperature=0)

plain = client.chat.completions.create(**request)
assert "Paris" in plain.choices[0].message.content, plain
assert plain.usage.completion_tokens <= 8, plain.usage
print("plain ok:", plain.choices[0].message.content)

stream = client.chat.completions.create(**request, stream=True, stream_options={"include_usage": True})
chunks = list(stream)
streamed = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
assert streamed == plain.choices[0].message.content, (streamed, plain)
assert chunks[-1].usage.completion_tokens == plain.usage.completion_tokens, chunks[-1]
print("stream ok:", streamed)
