"""The official OpenAI SDK, unchanged, has recordings written down: voice.py BASE_URL

Prints "NAME ok" for each thing that works, and ends at the first that does not. The recordings: audio/README.md.
"""

import io
import random
import sys
import wave
from pathlib import Path

from openai import APIStatusError, BadRequestError, OpenAI

AUDIO = Path(__file__).parent / "audio"
SPEECH = "whisper-base"
ASKED = "ask not what your country can do for you"

client = OpenAI(base_url=sys.argv[1], api_key="unused", timeout=600, max_retries=0)


def words(text):
    """Its words alone: punctuation and capitals differ between two processors."""
    return " ".join("".join(c if c.isalnum() else " " for c in text.lower()).split())


def heard(file, **more):
    more = {"language": "en", "temperature": 0} | more
    return client.audio.transcriptions.create(model=SPEECH, file=("voice", file), **more)


def transcribe(name, **more):
    with open(AUDIO / name, "rb") as file:
        return client.audio.transcriptions.create(model=SPEECH, file=file, temperature=0, **more)


def formats():
    """Each kind of file, and each kind of answer."""
    assert words(transcribe("ask.ogg", language="en").text) == ASKED
    assert words(transcribe("ask.mp3", language="en", response_format="text")) == ASKED
    srt = transcribe("ask.m4a", language="en", response_format="srt")
    assert srt.startswith("1\n00:00:00,") and " --> 00:00:0" in srt and ASKED in words(srt), srt
    vtt = transcribe("ask.wav", language="en", response_format="vtt")
    assert vtt.startswith("WEBVTT\n\n00:00:00.") and ASKED in words(vtt), vtt
    print("voice formats ok")


def times():
    granularities = ["segment", "word"]
    said = transcribe("ask.ogg", response_format="verbose_json", timestamp_granularities=granularities)
    assert said.language == "english" and 4.3 < float(said.duration) < 4.6, said
    assert words(" ".join(segment.text for segment in said.segments)) == ASKED, said
    assert words(" ".join(word.word for word in said.words)) == ASKED, said
    edges = [edge for word in said.words for edge in (word.start, word.end)]
    assert edges == sorted(edges) and edges[-1] <= float(said.duration), said
    print("voice times ok")


def stream():
    events = list(transcribe("ask.ogg", language="en", stream=True))
    said = "".join(event.delta for event in events if event.type == "transcript.text.delta")
    assert events[-1].type == "transcript.text.done" and events[-1].text == said, events
    assert words(said) == ASKED, said
    print("voice stream ok")


def minute():
    said = transcribe("minute.ogg", language="en", response_format="verbose_json")
    text = words(said.text)
    assert float(said.duration) > 60, said.duration
    for piece in ("ill disposed", "cold hearted", "more respectable than he was", ASKED):
        assert piece in text, (piece, text)
    # The same is read before and after it.
    assert text.count("ill disposed") >= 3, text
    print("voice minute ok")


def languages():
    for given in ({}, {"language": "de"}):
        said = transcribe("german.ogg", response_format="verbose_json", **given)
        assert said.language == "german", said
        assert "morgen fahren wir mit dem zug nach berlin" in words(said.text), said
    print("voice languages ok")


def wav(samples):
    """A file of 8 kHz and 16 bits."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setparams((1, 2, 8000, 0, "NONE", None))
        writer.writeframes(samples)
    return file.getvalue()


def odd():
    """What is hardly a recording: a clear answer all the same."""
    assert heard(wav(b"\0" * 48000)).text == "", "silence has words"
    # Whatever the model makes of noise, it is an answer.
    assert isinstance(heard(wav(random.Random(1).randbytes(48000))).text, str)
    whole = (AUDIO / "ask.ogg").read_bytes()
    assert "ask not" in words(heard(whole[: len(whole) * 2 // 3]).text)
    print("voice odd ok")


def errors():
    ask, minute = (AUDIO / "ask.ogg").read_bytes(), (AUDIO / "minute.ogg").read_bytes()
    m4a = (AUDIO / "ask.m4a").read_bytes()
    video = (AUDIO / "../../../enclave/decoder/tests/audio/video.mp4").read_bytes()
    for file, more, param, says in (
        (b"to be read, not heard", {}, "file", "text"),
        (b"", {}, "file", "empty"),
        (b"PK\x03\x04" + b"\0" * 64, {}, "file", "ZIP"),
        (video, {}, "file", "without audio"),
        (m4a[: len(m4a) // 2], {}, "file", "send"),
        (minute * 120, {}, "file", "1800 seconds"),
        (ask, {"language": "klingon"}, "language", "klingon"),
        (ask, {"response_format": "diarized_json"}, "response_format", "verbose_json"),
        (ask, {"response_format": "srt", "stream": True}, "stream", "json"),
    ):
        try:
            heard(file, **more)
            raise AssertionError(f"{says} {more} was taken")
        except BadRequestError as error:
            assert error.param == param and says in error.message, error
    try:
        heard(minute * 300)
        raise AssertionError("28 MB were taken")
    except APIStatusError as error:
        assert error.status_code == 413, error
    print("voice errors ok")


for step in (formats, times, stream, minute, languages, odd, errors):
    step()
