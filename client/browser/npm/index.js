// The verifier: bytes in, verdict out. Nothing is fetched but the module itself, from beside this file.
import { initSync, Request, recognise as look, limit } from './chrysalis_browser.js';
import { NoVerdict, compiled, packaged } from './module.js';

export { NoVerdict };

const BROKEN = 'the verifier failed, and says nothing any more: load the page anew, verify the file with `chrysalis verify`, and report it as a bug';
let state = 'unloaded';

/** Makes the module ready; every function does so by itself. `source`: its bytes, if they are not to be read from beside this file. */
export async function load(source) {
  if (state !== 'unloaded') return;
  initSync({ module: compiled(source ?? await packaged(new URL('./chrysalis_browser_bg.wasm', import.meta.url))) });
  state = 'ready';
}

/** What the command line prints for a question, byte for byte but for the end of the line. See index.d.ts for the questions. */
export async function ask(kind, question, now = Date.now() / 1000) {
  await load();
  return asked(kind, question, now);
}

function asked(kind, question, now) {
  if (state === 'broken') throw new NoVerdict(BROKEN);
  return guarded(() => {
    const request = new Request();
    for (const [name, value] of Object.entries(question)) {
      for (const part of Array.isArray(value) ? value : [value]) add(request, name, part);
    }
    return request.verdict(kind, seconds(now));
  });
}

function add(request, name, part) {
  if (part === undefined || part === null) return;
  const most = limit(name);
  if (most === 0) return request.word(name, part instanceof Uint8Array ? hex(part) : String(part));
  const bytes = typeof part === 'string' ? new TextEncoder().encode(part) : new Uint8Array(part);
  // Said here as well: what is too long is not even copied.
  if (bytes.length > most) throw `${name} has more than ${most} bytes`;
  return request.file(name, bytes);
}

function guarded(work) {
  try {
    return work();
  } catch (error) {
    if (typeof error === 'string') throw new NoVerdict(error);
    if (error instanceof NoVerdict) throw error;
    if (error instanceof TypeError) throw new NoVerdict(`this cannot be handed over: ${error.message}`);
    state = 'broken';
    throw new NoVerdict(BROKEN, { cause: error });
  }
}

const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');

function seconds(now) {
  const moment = now instanceof Date ? now.getTime() / 1000 : Number(now);
  if (!Number.isFinite(moment)) throw new NoVerdict('`now` is a Date, or Unix seconds');
  return moment;
}

/** The verdict on a saved session, a certificate or a bundle. */
export async function verify(bundle, policy, collateral = {}, now = Date.now() / 1000) {
  return JSON.parse(await ask('bundle', { ...collateral, bundle, policy }, now));
}

/** The verdict on a report, a quote, GPUs or a receipt. */
export async function verifyAlone(kind, question, now = Date.now() / 1000) {
  return JSON.parse(await ask(kind, question, now));
}

/** What a file looks like: `is` in words, `kind` of the question that begins with it, and its `name` in a question; null where it has none. */
export async function recognise(bytes) {
  await load();
  if (state === 'broken') throw new NoVerdict(BROKEN);
  return guarded(() => JSON.parse(look(new Uint8Array(bytes))));
}
