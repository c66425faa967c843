"""The official OpenAI SDK, unchanged, against the proxy: openai_sdk.py BASE_URL"""

import sys

from openai import BadRequestError, OpenAI

client = OpenAI(base_url=sys.argv[1], api_key="unused", timeout=900)
# Emulated, every token takes a while: the system's words replace the template's own, which are more.
system = {"role": "system", "content": "Be brief."}
question = {"role": "user", "content": "What is the capital of France?"}
model = client.models.list().data[0].id
request = dict(model=model, messages=[system, question], max_tokens=8, temperature=0, top_p=0, store=True, metadata={"a": "b"})

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
assert all(chunk.usage is None for chunk in chunks[:-1]), chunks

assert client.models.retrieve(model).id == model
try:
    client.chat.completions.create(**request, extra_body={"guided_choice": ["Paris", "Rome"]})
    raise AssertionError("guided_choice was ignored")
except BadRequestError as error:
    assert error.code == "unsupported_parameter", error
print("odds ok")
