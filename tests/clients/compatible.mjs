// The official Node SDK, unchanged, against the proxy: node compatible.mjs BASE_URL SDK_FOLDER
import { strict as assert } from "node:assert";
import { createReadStream } from "node:fs";
import { createRequire } from "node:module";

const [base, folder] = process.argv.slice(2);
const { OpenAI } = createRequire(`${folder}/`)("openai");
const client = new OpenAI({ baseURL: base, apiKey: "unused", timeout: 300_000 });
const [chat, embedder] = ["smollm2-135m-instruct", "all-minilm-l6-v2"];
const messages = [{ role: "user", content: "What is the capital of France? Answer in one word." }];

const plain = await client.chat.completions.create({ model: chat, messages, temperature: 0, max_tokens: 16 });
assert.match(plain.choices[0].message.content, /Paris/);
let streamed = "";
for await (const chunk of await client.chat.completions.create({ model: chat, messages, temperature: 0, max_tokens: 16, stream: true })) {
  streamed += chunk.choices[0]?.delta.content ?? "";
}
assert.equal(streamed, plain.choices[0].message.content);
console.log("node chat ok");

const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const tools = [{ type: "function", function: { name: "get_weather", parameters } }];
const called = await client.chat.completions.create({
  model: chat, tools, tool_choice: "required", temperature: 0, max_tokens: 128,
  messages: [{ role: "user", content: "What is the weather in Paris?" }],
});
const call = called.choices[0].message.tool_calls[0].function;
assert.equal(call.name, "get_weather");
assert.equal(typeof JSON.parse(call.arguments).city, "string");
console.log("node tools ok");

const vectors = await client.embeddings.create({ model: embedder, input: ["one", "two"] });
assert.equal(vectors.data[1].embedding.length, 384);
const response = await client.responses.create({ model: chat, input: messages[0].content, temperature: 0, max_output_tokens: 16 });
assert.match(response.output_text, /Paris/);
console.log("node responses ok");

const recording = (name) => ({ model: "whisper-base", file: createReadStream(new URL(`audio/${name}`, import.meta.url)), language: "en", temperature: 0 });
const spoken = /ask not what your country can do for you/i;
const srt = await client.audio.transcriptions.create({ ...recording("ask.mp3"), response_format: "srt" });
assert.match(srt, /^1\n00:00:00,\d{3} --> /);
const verbose = await client.audio.transcriptions.create({ ...recording("ask.m4a"), response_format: "verbose_json" });
assert.match(verbose.segments.map((segment) => segment.text).join(" "), spoken);
let heard = "";
for await (const event of await client.audio.transcriptions.create({ ...recording("ask.ogg"), stream: true })) {
  if (event.type === "transcript.text.delta") heard += event.delta;
  if (event.type === "transcript.text.done") assert.equal(event.text, heard);
}
assert.match(heard, spoken);
console.log("node voice ok");
