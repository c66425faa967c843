// What tests/vectors and the real evidence ask, for the package and for the command line: the same files, the same words.
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const vectors = join(root, 'tests/vectors');
const chrysalis = process.env.CHRYSALIS_TOOLS ? join(process.env.CHRYSALIS_TOOLS, 'chrysalis') : join(root, 'target/debug/chrysalis');
const room = join(tmpdir(), `chrysalis-browser-${process.pid}`);
mkdirSync(room, { recursive: true });

const FILES = ['report', 'cert', 'crl', 'statement', 'policy', 'quote', 'collateral', 'event_log', 'hcl_report', 'tpm_quote', 'tpm_signature', 'tpm_pcrs', 'chain', 'switches', 'rim', 'ocsp', 'bundle', 'certificate', 'receipt', 'evidence'];
const SAID = ['kind', 'shows', 'at'];
const list = (value) => (Array.isArray(value) ? value : [value]);

// A question: `name`, `kind`, `at`, `files` (by name, each a path), `words`, and what is expected if somebody wrote it down.
function* folders(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (!entry.isDirectory()) continue;
    if (existsSync(join(path, 'request.json'))) yield path;
    else yield* folders(path);
  }
}

let zeros = 0;
function path(folder, value) {
  if (typeof value === 'string') return join(folder, value);
  zeros += 1;
  const made = join(room, `zeros-${zeros}`);
  writeFileSync(made, Buffer.alloc(value.zeros));
  return made;
}

export function* committed() {
  for (const folder of folders(vectors)) {
    const request = JSON.parse(readFileSync(join(folder, 'request.json')));
    if (request.kind === 'release') continue;
    const question = { name: relative(vectors, folder), kind: request.kind, at: request.at, files: {}, words: {}, expected: JSON.parse(readFileSync(join(folder, 'expected.json'))) };
    for (const [key, value] of Object.entries(request)) {
      if (SAID.includes(key)) continue;
      if (FILES.includes(key)) question.files[key] = list(value).map((file) => path(folder, file));
      else question.words[key] = list(value).map(String);
    }
    yield question;
  }
}

const AT = ['2025-06-20T12:00:00Z', '2026-12-01T12:00:00Z'];
const named = (folder, ...names) => names.map((name) => join(folder, name)).filter(existsSync);

// Evidence of real machines, with whatever lies beside it.
export function* real() {
  for (const base of [join(vectors, 'real'), resolve(root, process.env.CHRYSALIS_REAL ?? '../shared/vectors')]) {
    const shelf = (name) => (existsSync(join(base, name)) ? readdirSync(join(base, name), { withFileTypes: true }).filter((entry) => entry.isDirectory()).map((entry) => join(base, name, entry.name)) : []);
    for (const folder of shelf('snp')) {
      const [report] = named(folder, 'hcl-report.bin', 'report.bin');
      const certs = readdirSync(folder).filter((name) => /^(vcek|vlek|auxblob|ask|ark).*/.test(name)).map((name) => join(folder, name));
      if (!report || !certs.length) continue;
      for (const at of AT) {
        const words = { without: ['crl', 'freshness'], accept_broken: ['milan'] };
        yield { name: `${relative(root, folder)} at ${at}`, kind: 'snp', at, files: { report: [report], cert: certs }, words };
        yield { name: `${relative(root, folder)} explained at ${at}`, kind: 'snp', at, files: { report: [report], cert: certs }, words: { explain: ['true'] } };
      }
    }
    const collaterals = shelf('tdx/collateral').flatMap((folder) => named(folder, 'collateral.json'));
    for (const folder of [...shelf('tdx'), ...shelf('tdx/quotes')]) {
      const [quote] = named(folder, 'quote.bin');
      if (!quote) continue;
      const own = named(folder, 'collateral.json');
      for (const collateral of own.length ? own : collaterals.slice(0, 3)) {
        for (const at of AT) {
          yield { name: `${relative(root, folder)} with ${relative(base, collateral)} at ${at}`, kind: 'tdx', at, files: { quote: [quote], collateral: [collateral], ...Object.fromEntries(named(folder, 'event_log.bin', 'ccel.bin').slice(0, 1).map((log) => ['event_log', [log]])) }, words: { explain: ['true'] } };
        }
      }
    }
    for (const folder of [...shelf('nvidia'), ...shelf('cases')]) {
      const nonce = named(folder, 'nonce.txt').map((file) => readFileSync(file, 'utf8').trim()).find((text) => /^[0-9a-f]{64}$/.test(text)) ?? '93'.repeat(32);
      const rims = readdirSync(folder).filter((name) => /rim.*(xml|json)$|\.swidtag$/i.test(name)).slice(0, 8).map((name) => join(folder, name));
      for (const name of readdirSync(folder).filter((it) => it.endsWith('.json') && it !== 'expected.json')) {
        yield { name: `${relative(root, folder)}/${name}`, kind: 'nvidia', at: AT[1], files: { report: [join(folder, name)], rim: rims }, words: { nonce: [nonce], without: ['ocsp', 'rim', 'fwid'], explain: ['true'] } };
      }
      const [report, chain] = [named(folder, 'report.bin'), named(folder, 'chain.pem')];
      if (report.length && chain.length) yield { name: relative(root, folder), kind: 'nvidia', at: AT[1], files: { report, chain, rim: rims }, words: { nonce: [nonce], without: ['ocsp', 'rim', 'fwid'] } };
    }
  }
}

// As the package takes it.
export function asked({ files, words }) {
  const question = {};
  for (const [name, paths] of Object.entries(files)) question[name] = paths.map((file) => readFileSync(file));
  for (const [name, texts] of Object.entries(words)) question[name] = texts;
  return question;
}

// What the command line prints, and its exit code.
export function told({ kind, at, files, words }) {
  const line = kind === 'bundle' ? ['verify', subject(files, words)] : kind === 'receipt' ? ['receipt', 'verify', files.receipt[0]] : ['verify', kind];
  line.push('--format', 'json', '--at', at);
  for (const [name, paths] of Object.entries(files)) {
    if (['bundle', 'certificate', 'receipt'].includes(name)) continue;
    const option = kind === 'tdx' && name === 'collateral' ? 'quote-collateral' : name.replace('_', '-');
    for (const file of paths) line.push(`--${option}`, file);
  }
  for (const [name, texts] of Object.entries(words)) {
    if (['spki', 'exporter', 'agreement'].includes(name) || (kind === 'bundle' && name === 'nonce')) continue;
    if (name === 'explain') line.push('--explain-only');
    else for (const text of texts) line.push(name === 'nonce' && kind !== 'nvidia' ? '--tpm-nonce' : `--${name.replace('_', '-')}`, text);
  }
  return new Promise((done) => {
    execFile(chrysalis, line, { maxBuffer: 1 << 26, env: { ...process.env, XDG_STATE_HOME: room } }, (error, stdout, stderr) => {
      done({ code: error ? error.code : 0, stdout, stderr, line: [chrysalis, ...line].join(' ') });
    });
  });
}

// Deterministic CBOR: a map of texts to byte strings and texts, in the order in which they come.
const head = (major, length) => {
  const rest = length < 24 ? [] : length < 256 ? [length] : length < 65536 ? [length >> 8, length & 255] : [length >>> 24, length >> 16 & 255, length >> 8 & 255, length & 255];
  return Buffer.from([major << 5 | (length < 24 ? length : 23 + Math.max(1, Math.log2(2 * rest.length))), ...rest]);
};
const cbor = (value) => (typeof value === 'string' ? Buffer.concat([head(3, value.length), Buffer.from(value)]) : Buffer.concat([head(2, value.length), value]));
export const map = (entries) => Buffer.concat([head(5, entries.length), ...entries.flat().map(cbor)]);

// A bundle with its conversation is a saved session on the command line.
function subject(files, words) {
  const [file] = files.bundle ?? files.certificate;
  if (!words.spki) return file;
  const hex = (name) => Buffer.from(words[name][0], 'hex');
  const entries = [['spki', hex('spki')], ['nonce', hex('nonce')], ['bundle', readFileSync(file)], ['exporter', hex('exporter')]];
  if (words.agreement) entries.push(['agreement', words.agreement[0]]);
  zeros += 1;
  const made = join(room, `session-${zeros}.cbor`);
  writeFileSync(made, map(entries));
  return made;
}

export const seconds = (at) => Date.parse(at) / 1000;
