"""A streamed answer through `chrysalis proxy`: pip install openai, then python chat.py MODEL."""

import os
import sys

from openai import OpenAI

# The proxy takes any key, or the token that it was started with. Named here, so that no prompt goes anywhere else by default.
client = OpenAI(base_url=os.environ.get("OPENAI_BASE_URL", "http://127.0.0.1:8080/v1"), api_key="none")
question = [{"role": "user", "content": "What is a chrysalis?"}]
for chunk in client.chat.completions.create(model=sys.argv[1], messages=question, stream=True):
    print(chunk.choices[0].delta.content or "" if chunk.choices else "", end="", flush=True)
print()
