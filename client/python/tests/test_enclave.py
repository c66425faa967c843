"""Real clients against a real enclave: the OpenAI SDK, httpx and httpx2, with threads, asyncio and trio."""

import asyncio
import datetime
import importlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import unittest
from typing import Any

import machine as machines
import questions

import chrysalis

MESSAGES = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What is the capital of France?"}]
REQUEST: dict[str, Any] = {"model": machines.MODEL, "messages": MESSAGES, "max_tokens": 8, "temperature": 0}
LONG: dict[str, Any] = {**REQUEST, "max_tokens": 400, "messages": [{"role": "user", "content": "Count from one to two hundred."}]}
HTTP = [name for name in ("httpx", "httpx2") if importlib.util.find_spec(name)]


def setUpModule() -> None:
    machines.machine()


class Sdk(unittest.TestCase):
    def setUp(self) -> None:
        self.machine = machines.machine()
        if importlib.util.find_spec("openai") is None:
            self.skipTest("no openai here")

    def test_plain_and_streamed_answers_are_the_same(self) -> None:
        with chrysalis.OpenAI(self.machine.url, self.machine.policy_file) as client:
            self.assertEqual(client.models.list().data[0].id, machines.MODEL)
            plain = client.chat.completions.create(**REQUEST)
            text = plain.choices[0].message.content
            self.assertIn("Paris", text)
            chunks = list(client.chat.completions.create(**REQUEST, stream=True))
            self.assertGreater(len(chunks), 3)
            self.assertEqual("".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices), text)
            again = client.with_options(timeout=300, max_retries=0).chat.completions.create(**REQUEST)
            self.assertEqual(again.choices[0].message.content, text)
            verdict = client.enclave.verify()
            self.assertTrue(verdict.trusted and verdict.simulated)

    def test_errors_of_the_enclave_are_the_sdks_own(self) -> None:
        import openai

        with chrysalis.OpenAI(self.machine.url, self.machine.policy) as client:
            with self.assertRaises(openai.BadRequestError) as caught:
                client.chat.completions.create(**REQUEST, extra_body={"guided_choice": ["Paris", "Rome"]})
            self.assertEqual(caught.exception.code, "unsupported_parameter")

    def test_several_at_once_on_an_event_loop(self) -> None:
        async def ask() -> None:
            async with chrysalis.AsyncOpenAI(self.machine.url, self.machine.policy) as client:
                asked = [client.chat.completions.create(**REQUEST) for _ in range(3)]
                texts = {answer.choices[0].message.content for answer in await asyncio.gather(*asked)}
                self.assertEqual(len(texts), 1, texts)
                stream = await client.chat.completions.create(**REQUEST, stream=True)
                streamed = [chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices]
                self.assertEqual({"".join(streamed)}, texts)

        asyncio.run(ask())

    def test_a_refusal_is_raised_at_once_with_its_code_and_no_prompt_leaves(self) -> None:
        wire = machines.Wire(self.machine.url)
        self.addCleanup(wire.close)
        client = chrysalis.OpenAI(wire.url, self.machine.wrong_policy())
        with self.assertRaises(chrysalis.Rejected) as caught:
            client.chat.completions.create(**REQUEST)
        self.assertEqual(caught.exception.code, "launch_digest_unknown")
        self.assertTrue(caught.exception.hint)
        self.assertIn("hint: ", str(caught.exception))
        self.assertEqual(caught.exception.verdict["verdict"], "rejected")
        self.assertEqual(wire.connections, 1, "a verdict is not tried again")
        # A prompt is filled to 4096 bytes: less than that was sent in all.
        self.assertLess(wire.sent, 4096)

        async def ask() -> None:
            await chrysalis.AsyncOpenAI(wire.url, self.machine.wrong_policy()).chat.completions.create(**REQUEST)

        with self.assertRaises(chrysalis.Rejected):
            asyncio.run(ask())
        self.assertLess(wire.sent, 2 * 4096)

    def test_who_cannot_be_reached_is_an_error_of_the_network(self) -> None:
        import openai

        client = chrysalis.OpenAI("https://127.0.0.1:1", self.machine.policy, max_retries=0)
        with self.assertRaises(openai.APIConnectionError) as caught:
            client.models.list()
        self.assertIsInstance(caught.exception.__cause__, chrysalis.Unreachable)

    def test_there_is_no_way_around_the_transport(self) -> None:
        with chrysalis.OpenAI(self.machine.url, self.machine.policy) as client:
            with self.assertRaises(chrysalis.Unusable):
                client.with_options(base_url="https://api.example/v1", max_retries=0).models.list()
            with self.assertRaises(TypeError):
                client.with_options(http_client=importlib.import_module(HTTP[-1]).Client())
            with self.assertRaises(TypeError):
                chrysalis.OpenAI(self.machine.url, self.machine.policy, base_url="https://api.example/v1")
            self.assertIn(".invalid", str(getattr(client, "websocket_base_url", ".invalid")))


class Http(unittest.TestCase):
    """Each with httpx and httpx2, where they are."""

    def setUp(self) -> None:
        self.machine = machines.machine()

    def each(self, **settings: Any) -> list[tuple[Any, Any]]:
        found = []
        for name in HTTP:
            http = importlib.import_module(name)
            transport = getattr(chrysalis, name).Transport(self.machine.url, self.machine.policy, **settings)
            client = http.Client(transport=transport, base_url=self.machine.url, timeout=300)
            self.addCleanup(client.close)
            found.append((http, client))
        return found

    def test_requests_share_connections(self) -> None:
        wire = machines.Wire(self.machine.url)
        self.addCleanup(wire.close)
        for name in HTTP:
            http, ours = importlib.import_module(name), getattr(chrysalis, name)
            before = wire.connections
            with http.Client(transport=ours.Transport(wire.url, self.machine.policy), base_url=wire.url, timeout=60) as client:
                for _ in range(5):
                    answer = client.get("/v1/models")
                    self.assertEqual(answer.status_code, 200)
                    self.assertEqual(answer.json()["data"][0]["id"], machines.MODEL)
                self.assertEqual(client.get("/nowhere").status_code, 404)
            self.assertEqual(wire.connections - before, 1)

    def test_a_stream_comes_piece_by_piece_and_can_be_left(self) -> None:
        for http, client in self.each():
            with client.stream("POST", "/v1/chat/completions", json={**LONG, "stream": True}) as answer:
                self.assertEqual(answer.headers["content-type"].split(";")[0], "text/event-stream")
                came = [line for line, _ in zip(answer.iter_lines(), range(6))]
                self.assertTrue(any(line.startswith("data: ") for line in came), came)
            self.assertEqual(client.get("/v1/models").status_code, 200)

    def test_waits_end_as_httpx_says(self) -> None:
        for http, client in self.each(connections=1):
            with self.assertRaises(http.ReadTimeout) as late:
                client.post("/v1/chat/completions", json=LONG, timeout=http.Timeout(60, read=0.2))
            self.assertIsInstance(late.exception, chrysalis.TimedOut)
            with client.stream("POST", "/v1/chat/completions", json={**LONG, "stream": True}) as answer:
                pieces = answer.iter_raw()
                next(pieces)
                with self.assertRaises(http.PoolTimeout):
                    client.get("/v1/models", timeout=http.Timeout(60, pool=0.2))
            self.assertEqual(client.get("/v1/models").status_code, 200)
            with self.assertRaises(http.UnsupportedProtocol):
                client.get("https://elsewhere.example/")
        silent = __import__("socket").create_server(("127.0.0.1", 0))
        self.addCleanup(silent.close)
        url = f"https://127.0.0.1:{silent.getsockname()[1]}"
        for name in HTTP:
            http, ours = importlib.import_module(name), getattr(chrysalis, name)
            with http.Client(transport=ours.Transport(url, self.machine.policy), timeout=http.Timeout(60, connect=0.3)) as client:
                with self.assertRaises(http.ConnectTimeout):
                    client.get(url)
            with http.Client(transport=ours.Transport("https://127.0.0.1:1", self.machine.policy)) as client:
                with self.assertRaises(http.ConnectError) as caught:
                    client.get("https://127.0.0.1:1/")
                self.assertEqual(caught.exception.code, "unreachable")

    def test_a_cut_stream_is_an_error_and_not_an_end(self) -> None:
        wire = machines.Wire(self.machine.url)
        self.addCleanup(wire.close)
        for name in HTTP:
            http, ours = importlib.import_module(name), getattr(chrysalis, name)
            with http.Client(transport=ours.Transport(wire.url, self.machine.policy), base_url=wire.url, timeout=300) as client:
                with self.assertRaises(http.ReadError) as caught:
                    with client.stream("POST", "/v1/chat/completions", json={**LONG, "stream": True}) as answer:
                        pieces = answer.iter_raw()
                        next(pieces)
                        wire.cut()
                        for _ in pieces:
                            pass
                self.assertEqual(caught.exception.code, "incomplete_answer")
                self.assertEqual(client.get("/v1/models").status_code, 200, "a new connection is made")

    def test_a_call_that_is_cancelled_frees_its_connection(self) -> None:
        async def ask(name: str) -> None:
            http, ours = importlib.import_module(name), getattr(chrysalis, name)
            transport = ours.AsyncTransport(self.machine.url, self.machine.policy, connections=1)
            async with http.AsyncClient(transport=transport, base_url=self.machine.url, timeout=60) as client:
                self.assertEqual((await client.get("/v1/models")).status_code, 200)
                with self.assertRaises(asyncio.TimeoutError):
                    await asyncio.wait_for(client.post("/v1/chat/completions", json=LONG), 0.3)
                self.assertEqual((await client.get("/v1/models", timeout=60)).status_code, 200)

                async def body() -> Any:
                    yield b'{"model": "'
                    yield machines.MODEL.encode()
                    yield b'", "max_tokens": 2, "messages": [{"role": "user", "content": "hi"}]}'

                answer = await client.post("/v1/chat/completions", content=body(), headers={"content-type": "application/json"})
                self.assertEqual(answer.status_code, 200, answer.text)

        for name in HTTP:
            with self.subTest(name):
                asyncio.run(ask(name))

    def test_trio_works_too(self) -> None:
        try:
            import trio
        except ImportError:
            self.skipTest("no trio here")

        async def ask(name: str) -> None:
            http, ours = importlib.import_module(name), getattr(chrysalis, name)
            transport = ours.AsyncTransport(self.machine.url, self.machine.policy)
            async with http.AsyncClient(transport=transport, base_url=self.machine.url, timeout=60) as client:
                self.assertEqual((await client.get("/v1/models")).status_code, 200)
                with trio.move_on_after(0.3) as scope:
                    await client.post("/v1/chat/completions", json=LONG)
                self.assertTrue(scope.cancelled_caught)
                self.assertEqual((await client.get("/v1/models")).status_code, 200)

        for name in HTTP:
            with self.subTest(name):
                trio.run(ask, name)

    def test_other_threads_run_while_one_waits(self) -> None:
        for http, client in self.each():
            over = threading.Event()
            count = 0

            def work() -> None:
                nonlocal count
                while not over.is_set():
                    count += 1
                    time.sleep(0.001)

            worker = threading.Thread(target=work)
            worker.start()
            client.post("/v1/chat/completions", json=REQUEST)
            over.set()
            worker.join()
            self.assertGreater(count, 20)

    def test_a_forked_process_makes_connections_of_its_own(self) -> None:
        for http, client in self.each():
            self.assertEqual(client.get("/v1/models").status_code, 200)
            child = os.fork()
            if child == 0:
                status = 1
                try:
                    status = 0 if client.get("/v1/models").status_code == 200 else 1
                finally:
                    os._exit(status)
            _, status = os.waitpid(child, 0)
            self.assertEqual(os.waitstatus_to_exitcode(status), 0)
            self.assertEqual(client.get("/v1/models").status_code, 200)

    def test_an_interrupt_is_heard_while_it_waits(self) -> None:
        program = f"""
            import chrysalis, sys
            enclave = chrysalis.Enclave({self.machine.url!r}, {str(self.machine.policy_file)!r})
            http = __import__({HTTP[0]!r})
            client = http.Client(transport=chrysalis.{HTTP[0]}.Transport(enclave), base_url=enclave.url, timeout=None)
            client.get("/v1/models")
            print("ready", flush=True)
            client.post("/v1/chat/completions", json={LONG!r})
        """
        child = subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert child.stdout is not None
        self.assertEqual(child.stdout.readline(), "ready\n")
        time.sleep(0.3)
        child.send_signal(signal.SIGINT)
        began = time.monotonic()
        _, talk = child.communicate(timeout=30)
        self.assertIn("KeyboardInterrupt", talk)
        self.assertLess(time.monotonic() - began, 10)


class Receipts(unittest.TestCase):
    """What `chrysalis proxy --receipts` keeps of a conversation, as evidence for later."""

    def test_a_receipt_is_judged_as_by_the_command_line(self) -> None:
        machine = machines.machine()
        body = json.dumps(REQUEST).encode()
        kept, answer = machine.receipt(body)
        (receipt,) = kept.glob("*.receipt")
        (evidence,) = kept.glob("*.evidence")
        at = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
        parts = {"evidence": evidence.read_bytes(), "request": body, "answer": answer}
        for name, content, code in [
            ("as it was", {}, None),
            ("of another request", {"request": body.replace(b"France", b"Norway")}, "receipt_content"),
            ("of another answer", {"answer": answer.replace(b"}", b"]")}, "receipt_content"),
            ("cut", {"receipt": receipt.read_bytes()[:-1]}, "receipt_file_malformed"),
        ]:
            with self.subTest(name):
                given = {"receipt": receipt.read_bytes(), **parts, **content}
                files = {"policy": [machine.policy.encode()], **{part: [of] for part, of in given.items()}}
                question = questions.Question(name, "receipt", at.strftime("%Y-%m-%dT%H:%M:%SZ"), files, {})
                found = chrysalis.verify(given.pop("receipt"), kind="receipt", policy=machine.policy, at=at, **given)
                self.assertEqual(found.json + "\n", questions.said(question))
                self.assertEqual((bool(found), found.code), (code is None, code))
                if code is None:
                    assert found.receipt is not None and found.evidence is not None
                    self.assertTrue(found.receipt["request_compared"] and found.receipt["answer_compared"])
                    self.assertEqual(found.evidence["verdict"], "trusted")
        with self.assertRaisesRegex(chrysalis.Unusable, "does not bring the evidence"):
            chrysalis.verify(receipt.read_bytes(), kind="receipt", policy=machine.policy, at=at)


class Trust(unittest.TestCase):
    """Epochs that end, and an enclave that loses its trust."""

    def test_epochs_pass_and_trust_that_ends_ends_everything(self) -> None:
        machine = machines.Machine(epoch=60)
        self.addCleanup(machine.stop)
        with chrysalis.Enclave(machine.url, machine.policy, reverify=2.0) as enclave:
            name = HTTP[0]
            http, ours = importlib.import_module(name), getattr(chrysalis, name)
            client = http.Client(transport=ours.Transport(enclave), base_url=machine.url, timeout=120)
            claims = enclave.verify().claims
            assert claims is not None
            first, deadline = claims["epoch"], time.monotonic() + 400
            while True:
                self.assertEqual(client.get("/v1/models").status_code, 200)
                claims = enclave.verify().claims
                assert claims is not None
                if claims["epoch"] > first:
                    break
                self.assertLess(time.monotonic(), deadline, "no second epoch")
                time.sleep(1)
            # The GPU is gone: the enclave destroys its keys as soon as somebody asks for evidence.
            machine.trouble.write_text("vanish")
            with self.assertRaises(chrysalis.ChrysalisError) as caught:
                while time.monotonic() < deadline + 200:
                    with client.stream("POST", "/v1/chat/completions", json={**LONG, "stream": True}) as answer:
                        for _ in answer.iter_raw():
                            pass
            print(f"trust ended: {caught.exception!r}", file=sys.stderr)
            with self.assertRaises(chrysalis.ChrysalisError):
                enclave.verify()


if __name__ == "__main__":
    unittest.main()
