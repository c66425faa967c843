// A directory's files from memory, on loopback: `node serve.mjs [PORT] [PROVIDERS]`, or `serve(() => [network, options])`.
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import { CSP, Network, answer } from './fixtures.mjs';

export async function serve(now, port = 0) {
  const server = createServer((request, response) => {
    const found = answer(now()[0], new URL(request.url, 'http://here').pathname, now()[1]);
    if (!found) return response.writeHead(404).end();
    const [type, body] = found, etag = `"${createHash('sha256').update(body).digest('hex').slice(0, 32)}"`;
    const headers = { 'content-type': type, 'content-security-policy': CSP, 'x-content-type-options': 'nosniff', 'cache-control': 'no-cache', etag };
    if (request.headers['if-none-match'] === etag) return response.writeHead(304, headers).end();
    return response.writeHead(200, headers).end(body);
  });
  await new Promise((ready) => { server.listen(port, '127.0.0.1', ready); });
  return { url: `http://127.0.0.1:${server.address().port}/`, close: () => new Promise((done) => { server.close(done); server.closeAllConnections(); }) };
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const [port = 8090, providers = 40] = process.argv.slice(2).map(Number);
  const network = new Network({ providers, refresh: 5 });
  setInterval(() => network.step(), 10_000);
  console.log((await serve(() => [network, {}], port)).url);
}
