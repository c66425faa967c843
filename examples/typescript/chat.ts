// A streamed answer through `chrysalis proxy`: npm install, then npx tsx chat.ts MODEL.
import OpenAI from "openai";

// The proxy takes any key, or the token that it was started with. Named here, so that no prompt goes anywhere else by default.
const client = new OpenAI({ baseURL: process.env.OPENAI_BASE_URL ?? "http://127.0.0.1:8080/v1", apiKey: "none" });
const messages = [{ role: "user" as const, content: "What is a chrysalis?" }];
for await (const chunk of await client.chat.completions.create({ model: process.argv[2], messages, stream: true })) {
  process.stdout.write(chunk.choices[0]?.delta.content ?? "");
}
process.stdout.write("\n");
