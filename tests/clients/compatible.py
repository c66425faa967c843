"""Other people's clients, unchanged, against the proxy: compatible.py BASE_URL

Prints "NAME ok" for each that works, and ends at the first that does not.
"""

import base64
import json
import os
import struct
import subprocess
import sys
import tempfile

from pydantic import BaseModel

BASE = sys.argv[1]
CHAT, EMBEDDER = "smollm2-135m-instruct", "all-minilm-l6-v2"
QUESTION = [{"role": "user", "content": "What is the capital of France? Answer in one word."}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "unit": {"enum": ["C", "F"]}},
            "required": ["city", "unit"],
        },
    },
}


class Person(BaseModel):
    name: str
    age: int


def openai_sdk():
    from openai import BadRequestError, NotFoundError, OpenAI

    client = OpenAI(base_url=BASE, api_key="unused", timeout=300)
    plain = client.chat.completions.create(model=CHAT, messages=QUESTION, temperature=0, max_tokens=16)
    assert "Paris" in plain.choices[0].message.content, plain
    chunks = list(
        client.chat.completions.create(
            model=CHAT, messages=QUESTION, temperature=0, max_tokens=16, stream=True, stream_options={"include_usage": True}
        )
    )
    streamed = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert streamed == plain.choices[0].message.content, (streamed, plain)
    assert chunks[-1].usage.completion_tokens == plain.usage.completion_tokens
    print("openai chat ok")

    called = client.chat.completions.create(
        model=CHAT,
        messages=[{"role": "user", "content": "What is the weather in Paris?"}],
        tools=[WEATHER],
        tool_choice="required",
        temperature=0,
        max_tokens=128,
    )
    call = called.choices[0].message.tool_calls[0]
    arguments = json.loads(call.function.arguments)
    assert call.function.name == "get_weather" and arguments["unit"] in ("C", "F") and "city" in arguments, called
    deltas = client.chat.completions.create(
        model=CHAT,
        messages=[{"role": "user", "content": "What is the weather in Paris?"}],
        tools=[WEATHER],
        tool_choice={"type": "function", "function": {"name": "get_weather"}},
        temperature=0,
        max_tokens=128,
        stream=True,
    )
    pieces = [call for chunk in deltas for choice in chunk.choices for call in choice.delta.tool_calls or []]
    assert pieces[0].function.name == "get_weather", pieces
    json.loads("".join(piece.function.arguments or "" for piece in pieces if piece.index == 0))
    print("openai tools ok")

    parsed = client.chat.completions.parse(
        model=CHAT,
        messages=[{"role": "user", "content": "Ada is 36 years old. Extract the person."}],
        response_format=Person,
        temperature=0,
        max_tokens=64,
    )
    assert isinstance(parsed.choices[0].message.parsed, Person), parsed
    print("openai parse ok")

    texts = ["The cat sits outside", "A man is playing guitar", "A cat is outdoors"]
    vectors = [item.embedding for item in client.embeddings.create(model=EMBEDDER, input=texts).data]
    raw = client.embeddings.create(model=EMBEDDER, input=texts[0], encoding_format="base64").data[0].embedding
    decoded = struct.unpack(f"<{len(vectors[0])}f", base64.b64decode(raw))
    assert max(abs(a - b) for a, b in zip(decoded, vectors[0])) < 1e-5
    alike = lambda a, b: sum(x * y for x, y in zip(a, b))  # noqa: E731
    assert alike(vectors[0], vectors[2]) > alike(vectors[0], vectors[1])
    print("openai embeddings ok")

    text = client.completions.create(model=CHAT, prompt="The capital of France is", max_tokens=3, temperature=0)
    assert text.choices[0].text.startswith(" Paris"), text
    response = client.responses.create(model=CHAT, input=QUESTION[0]["content"], max_output_tokens=16, temperature=0, store=False)
    assert "Paris" in response.output_text, response
    kinds = [event.type for event in client.responses.create(model=CHAT, input="Say hi.", max_output_tokens=16, stream=True)]
    assert kinds[0] == "response.created" and kinds[-1] in ("response.completed", "response.incomplete"), kinds
    print("openai responses ok")

    for wrong, error in (({"model": "gpt-4o"}, NotFoundError), ({"temperature": -5}, BadRequestError)):
        try:
            client.chat.completions.create(**{"model": CHAT, "messages": QUESTION} | wrong)
            raise AssertionError(f"{wrong} was taken")
        except error:
            pass
    print("openai errors ok")


def anthropic_sdk():
    from anthropic import Anthropic

    client = Anthropic(base_url=BASE.removesuffix("/v1"), api_key="unused", timeout=300)
    greedy = {"model": CHAT, "max_tokens": 16, "messages": QUESTION, "extra_body": {"temperature": 0}}
    message = client.messages.create(**greedy)
    assert "Paris" in message.content[0].text, message
    with client.messages.stream(**greedy) as stream:
        assert "".join(stream.text_stream) == message.content[0].text
    counted = client.messages.create(
        model=CHAT,
        max_tokens=32,
        stop_sequences=["aris", "xyzzy"],
        messages=QUESTION,
        extra_body={"temperature": 0},
    )
    assert (counted.stop_reason, counted.stop_sequence) == ("stop_sequence", "aris"), counted
    assert counted.content[0].text.endswith("P") and counted.usage.output_tokens > 0, counted
    print("anthropic ok")


def langchain():
    from langchain_openai import ChatOpenAI, OpenAIEmbeddings

    chat = ChatOpenAI(base_url=BASE, api_key="unused", model=CHAT, temperature=0, max_tokens=64, timeout=300)
    assert "Paris" in chat.invoke(QUESTION[0]["content"]).content
    assert "Paris" in "".join(piece.content for piece in chat.stream(QUESTION[0]["content"]))
    person = chat.with_structured_output(Person).invoke("Ada is 36 years old. Extract the person.")
    assert isinstance(person, Person)
    call = chat.bind_tools([WEATHER], tool_choice="get_weather").invoke("What is the weather in Paris?").tool_calls[0]
    assert call["name"] == "get_weather" and "city" in call["args"], call
    embedder = OpenAIEmbeddings(base_url=BASE, api_key="unused", model=EMBEDDER, check_embedding_ctx_length=False)
    assert len(embedder.embed_query("cat")) == 384
    print("langchain ok")


def litellm_library():
    import litellm

    litellm.telemetry = False
    answer = litellm.completion(
        model=f"openai/{CHAT}", api_base=BASE, api_key="unused", messages=QUESTION, temperature=0, max_tokens=16
    )
    assert "Paris" in answer.choices[0].message.content, answer
    print("litellm ok")


def llm_command():
    with tempfile.TemporaryDirectory() as folder:
        models = [{"model_id": "chrysalis", "model_name": CHAT, "api_base": BASE, "api_key_name": "unused"}]
        with open(f"{folder}/extra-openai-models.yaml", "w") as file:
            json.dump(models, file)
        env = os.environ | {"LLM_USER_PATH": folder}
        command = [os.path.join(os.path.dirname(sys.executable), "llm")]
        command += ["-m", "chrysalis", "--key", "unused", "--no-log", "-o", "temperature", "0", "-o", "max_tokens", "16"]
        said = subprocess.run(command + [QUESTION[0]["content"]], env=env, capture_output=True, text=True, timeout=300)
        assert said.returncode == 0 and "Paris" in said.stdout, said
    print("llm ok")


for client in (openai_sdk, anthropic_sdk, langchain, litellm_library, llm_command):
    client()
