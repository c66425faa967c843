// The server of a page that talks to an enclave: the page's files, and evidence for whatever nonce the page draws.
import { createServer } from 'node:http';
import { readFileSync } from 'node:fs';
import { extname, join, normalize } from 'node:path';

const KINDS = { '.html': 'text/html', '.js': 'text/javascript', '.mjs': 'text/javascript', '.wasm': 'application/wasm' };

/** Serves a page with these folders under their names; `bring(nonce)` is what it gives as evidence. `sources`: where its page may ask. */
export async function serve(folders, bring, sources) {
  const here = { bring };
  const server = createServer(async (question, answer) => {
    const { pathname, searchParams } = new URL(question.url, 'http://page');
    const [, folder, ...rest] = normalize(pathname).split('/');
    if (pathname === '/evidence') {
      const brought = await here.bring(searchParams.get('nonce')).catch(() => undefined);
      return answer.writeHead(brought ? 200 : 502, { 'content-type': 'application/json' }).end(JSON.stringify(brought ?? null));
    }
    if (pathname === '/') {
      return answer.writeHead(200, {
        'content-type': 'text/html',
        'content-security-policy': `default-src 'none'; script-src 'self' 'wasm-unsafe-eval' 'nonce-page'; connect-src 'self' ${sources}`,
      }).end(PAGE);
    }
    try {
      const bytes = readFileSync(join(folders[folder], ...rest));
      return answer.writeHead(200, { 'content-type': KINDS[extname(pathname)] ?? 'text/plain' }).end(bytes);
    } catch {
      return answer.writeHead(404).end();
    }
  });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  here.url = `http://127.0.0.1:${server.address().port}/`;
  here.stop = () => { server.closeAllConnections(); server.close(); };
  return here;
}

const PAGE = `<!doctype html>
<title>A page</title>
<link rel="icon" href="data:,">
<script type="importmap" nonce="page">{"imports": {"chrysalis-verify/relay": "/npm/relay/index.js", "openai": "/openai/index.mjs"}}</script>
<script type="module" nonce="page">
import { through } from 'chrysalis-verify/relay';
import OpenAI from 'openai';
const evidence = async (nonce) => (await fetch('/evidence?nonce=' + nonce)).json();
Object.assign(window, { OpenAI, open: (options) => through({ evidence, ...options }), ready: true });
</script>
`;
