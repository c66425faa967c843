// A network without machines: providers with real Ed25519 keys, whose signed reports follow the price rule (tests/clients/price.mjs), and a
// directory's files about them, its log included. Everything comes from a seed, so that a picture can be made again.
import { createHash, createPrivateKey, createPublicKey, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { after, prices } from '../clients/price.mjs';

const sha256 = (...parts) => createHash('sha256').update(Buffer.concat(parts.map((part) => Buffer.from(part)))).digest();
const label = (text) => Buffer.concat([Buffer.from([text.length]), Buffer.from(text)]);

// ---- Deterministic CBOR
function head(major, number) {
  const value = BigInt(number);
  const [low, size] = value < 24n ? [value, 0] : value < 1n << 8n ? [24n, 1] : value < 1n << 16n ? [25n, 2] : value < 1n << 32n ? [26n, 4] : [27n, 8];
  const tail = size ? Buffer.from(value.toString(16).padStart(size * 2, '0'), 'hex') : Buffer.alloc(0);
  return Buffer.concat([Buffer.from([(major << 5) | Number(low)]), tail]);
}
export function encode(value) {
  if (typeof value === 'bigint') return value < 0n ? head(1, -1n - value) : head(0, value);
  if (typeof value === 'string') return Buffer.concat([head(3, Buffer.byteLength(value)), Buffer.from(value)]);
  if (value instanceof Uint8Array) return Buffer.concat([head(2, value.length), value]);
  if (Array.isArray(value)) return Buffer.concat([head(4, value.length), ...value.map(encode)]);
  const pairs = Object.entries(value).map(([name, it]) => [encode(name), encode(it)]);
  pairs.sort(([a], [b]) => Buffer.compare(a, b));
  return Buffer.concat([head(5, pairs.length), ...pairs.flat()]);
}

// ---- Keys
export function keyOf(seed) {
  const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), sha256(seed)]);
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  return { key, public: createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(12) };
}
export function signedReport(report, key) {
  const bytes = encode(report);
  return encode({ report: bytes, signature: sign(null, sha256(label('chrysalis/report/v1'), bytes), key) });
}

// ---- The log (RFC 6962)
const leaf = (entry) => sha256([0], entry);
const node = (left, right) => sha256([1], left, right);
const split = (size) => { let at = 1; while (at * 2 < size) at *= 2; return at; };
const root = (leaves) => (leaves.length === 1 ? leaves[0] : node(root(leaves.slice(0, split(leaves.length))), root(leaves.slice(split(leaves.length)))));
function consistency(from, leaves, whole = true) {
  const size = leaves.length;
  if (from === size) return whole ? [] : [root(leaves)];
  const at = split(size);
  return from <= at ? [...consistency(from, leaves.slice(0, at), whole), root(leaves.slice(at))] : [...consistency(from - at, leaves.slice(at), false), root(leaves.slice(0, at))];
}
export class Log {
  constructor(origin, seed) { Object.assign(this, { origin, ...keyOf(seed), leaves: [], heads: [] }); }
  // A new head over all entries; `consistency/<size>` leads from each head to the next.
  add(...entries) { this.leaves.push(...entries.map(leaf)); this.heads.push(this.leaves.length); }
  get root() { return root(this.leaves); }
  note(leaves = this.leaves) {
    const text = `${this.origin}\n${leaves.length}\n${root(leaves).toString('base64')}\n`;
    const id = sha256(`${this.origin}\n`, [1], this.public).subarray(0, 4);
    return `${text}\n— ${this.origin} ${Buffer.concat([id, sign(null, Buffer.from(text), this.key)]).toString('base64')}\n`;
  }
  growth(from) {
    const next = this.heads.find((size) => size > from);
    if (!next || !this.heads.includes(from)) return null;
    const leaves = this.leaves.slice(0, next);
    return `old ${from}\n${consistency(from, leaves).map((hash) => `${hash.toString('base64')}\n`).join('')}\n${this.note(leaves)}`;
  }
}

// ---- The market
const RATES = { chat: [1_000_000n, 100_000n, 4_000_000n, 0n], embedding: [250_000n, 0n, 0n, 0n], speech: [0n, 0n, 0n, 1_000_000n] };
const CLASSES = [
  { name: 'qwen3-30b-a3b-instruct', kind: 'chat', floor: 9_000_000, slots: 16, speed: 900 },
  { name: 'smollm2-135m-instruct', kind: 'chat', floor: 2_200_000, slots: 8, speed: 240 },
  { name: 'minilm-l6-v2', kind: 'embedding', floor: 1_900_000, slots: 8, speed: 5200 },
  { name: 'whisper-base', kind: 'speech', floor: 34_000_000, slots: 4, speed: 55 },
];
const REGIONS = ['eu-north', 'eu-central', 'us-east', 'us-west', 'ap-south', 'ap-northeast', 'sa-east', ''];
const price = (kind, [prompt, , completion, audio]) => (kind === 'speech' ? audio : kind === 'chat' && completion > prompt ? completion : prompt);
const thousandths = (part, all) => (all ? Number((part * 1000n) / all) : 0);

export class Network {
  // `simulated`, `local`: what the bands say. `history`: epochs before now that the index is known of.
  constructor({ providers = 40, operators = 9, classes = CLASSES, simulated = true, local = true, history = 288, at = 1_796_126_400, seed = 'ledger', refresh = 60 } = {}) {
    Object.assign(this, { classes, simulated, local, at, refresh, name: 'network.example', random: this.generator(seed), level: 1 });
    this.log = new Log('directory.example', `${seed} log`);
    this.operators = Array.from({ length: operators }, (_, at) => ({
      key: keyOf(`${seed} operator ${at}`).public.toString('hex'), payee: sha256(`${seed} payee ${at}`).toString('hex'), signed: 0n, share: 1 / (at + 1.6),
    }));
    this.providers = Array.from({ length: providers }, (_, at) => this.provider(seed, at));
    this.history = this.classes.map(() => []);
    for (let epoch = history; epoch > 0; epoch -= 1) {
      this.level = 0.98 + 0.22 * Math.sin((this.at - epoch * 300) / 13_750) + 0.1 * (this.random() - 0.5);
      this.step({ seconds: 300, sign: false });
    }
    for (const provider of this.providers) provider.epoch = 240n + BigInt(Math.floor(this.random() * 4000));
    this.step();
    this.step();
    for (let at = 0; at < 40; at += 1) this.log.add(sha256(`minute ${at}`), sha256(`cut ${at}`));
  }
  generator(seed) {
    let state = sha256(seed).readUInt32LE(0);
    return () => {
      state = (state + 0x6d2b79f5) | 0;
      let t = Math.imul(state ^ (state >>> 15), 1 | state);
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
      return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
  }
  provider(seed, at) {
    const keys = keyOf(`${seed} provider ${at}`);
    const which = this.classes[at % this.classes.length];
    const total = this.operators.reduce((sum, { share }) => sum + share, 0);
    let left = this.random() * total;
    const operator = this.operators.find(({ share }) => (left -= share) < 0) ?? this.operators[0];
    const weights = sha256(`weights of ${which.name}`);
    const gpus = which.speed > 500 && which.kind === 'chat' ? 1 : 0;
    return {
      keys, which, operator, weights, gpus, id: sha256(operator.key, keys.public, weights).subarray(0, 16).toString('hex'),
      region: REGIONS[Math.floor(this.random() * REGIONS.length)], platform: this.simulated ? 'simulated' : gpus || this.random() < 0.6 ? 'snp' : 'tdx',
      release: this.random() < 0.8 ? '0.9.0' : '0.8.4', slots: BigInt(which.slots * (1 + Math.floor(this.random() * 3))),
      price: { floor: BigInt(Math.round(which.floor * (0.8 + 0.5 * this.random()))), x: 0n }, bias: 0.92 + 0.16 * this.random(), rates: RATES[which.kind], epoch: 0n,
      since: this.at - Math.floor(this.random() * 40 * 86_400), uptime: 1000 - Math.floor(this.random() ** 6 * 60), last: null, before: null,
    };
  }
  // One epoch: each provider's price follows from the last report, and a new one is signed. `load`: the share in use, for all.
  step({ seconds = 60, sign: signs = true, load } = {}) {
    this.at += signs ? seconds : 0;
    for (const it of this.providers) {
      if (it.load) it.price = after(it.price, it.load, it.price.floor);
      const capacity = it.slots * BigInt(seconds) * 1000n;
      const part = Math.max(0, Math.min(1, load ?? this.level * it.bias * Math.exp(-Number(it.price.x) / 2_650_000) + 0.06 * (this.random() - 0.5)));
      it.load = { used: BigInt(Math.floor(Number(capacity) * part)), capacity };
      it.asked = prices(it.price, it.rates);
      if (!signs) continue;
      it.epoch += 1n;
      this.report(it, part);
    }
    this.classes.forEach((row, at) => this.history[at].push([signs ? this.at : 0, `${this.index(row)}`]));
    // What was computed before the first report is five minutes apart.
    if (signs) for (const each of this.history) each.forEach((point, at) => { if (!point[0]) point[0] = this.at - (each.length - 1 - at) * 300; });
    if (signs) this.log.add(sha256(`reports of ${this.at}`));
  }
  report(it, part = 0.7) {
    const { which } = it, jobs = BigInt(Math.floor(Number(it.slots) * part * 9));
    const tokens = BigInt(Math.floor(which.speed * part * (0.9 + 0.2 * this.random())));
    const revenue = (tokens * 60n * price(which.kind, it.asked)) / 1_000_000n;
    it.before = it.last;
    it.fields = {
      version: 1n, receipt_key: it.keys.public, weights: it.weights, epoch: it.epoch, floor: it.price.floor, x: it.price.x, rates: it.rates, asked: it.asked,
      ...it.load, jobs, failed: 0n, revenue, tabs: jobs / 3n, first_token_ms: jobs ? BigInt(Math.floor((which.gpus ? 60 : 180) * (0.8 + part + this.random()))) : 0n,
      tokens_per_second: tokens, ended: BigInt(this.at - 2),
    };
    it.operator.signed += revenue;
    it.last = signedReport(it.fields, it.keys.key);
  }
  index(row) {
    const asked = this.of(row).filter(({ load }) => load.capacity > 0n).map((it) => [price(row.kind, it.asked), it.load.capacity]);
    asked.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    const all = asked.reduce((sum, [, capacity]) => sum + capacity, 0n);
    let below = 0n;
    return asked.find(([, capacity]) => { below += capacity; return below * 2n >= all; })?.[0] ?? null;
  }
  of(row) { return this.providers.filter(({ which }) => which === row); }
  // `/v1/ledger/summary.json`.
  summary() {
    const sum = (rows, name) => rows.reduce((all, it) => all + it.load[name], 0n);
    const shares = (rows) => this.operators.map((operator) => sum(rows.filter((it) => it.operator === operator), 'capacity'));
    const whole = sum(this.providers, 'capacity');
    return {
      version: 1, network: { name: this.name, symbol: 'GRAM', simulated: this.simulated, local_chain: this.local }, at: this.at, refresh: this.refresh,
      classes: this.classes.map((row, at) => ({
        name: row.name, weights: sha256(`weights of ${row.name}`).toString('hex'), kind: row.kind, index: this.index(row) === null ? null : `${this.index(row)}`,
        utilisation: thousandths(sum(this.of(row), 'used'), sum(this.of(row), 'capacity')), history: this.history[at],
      })),
      providers: this.providers.map((it) => ({
        id: it.id, operator: it.operator.key, receipt_key: it.keys.public.toString('hex'), class: it.which.name, region: it.region, platform: it.platform, gpus: it.gpus,
        release: it.release, price: `${price(it.which.kind, it.asked)}`, load: thousandths(it.load.used, it.load.capacity), first_token_ms: Number(it.fields.first_token_ms),
        tokens_per_second: Number(it.fields.tokens_per_second), since: it.since, uptime: it.uptime,
        reports: { last: it.last.toString('base64'), before: it.before?.toString('base64') ?? null },
      })),
      operators: this.operators.map((it) => {
        const own = this.providers.filter(({ operator }) => operator === it), signed = it.signed * 61_000n;
        return { operator: it.key, payee: it.payee, providers: own.length, capacity_share: thousandths(sum(own, 'capacity'), whole), signed: `${signed}`, paid_whole: true, paid: this.chain === false ? null : `${(signed * 93n) / 100n}` };
      }).filter(({ providers }) => providers),
      concentration: this.classes.map((row) => {
        const each = shares(this.of(row)), all = each.reduce((a, b) => a + b, 0n) || 1n;
        return { class: row.name, largest_share: thousandths(each.reduce((a, b) => (a > b ? a : b), 0n), all), hhi: Number((each.reduce((a, b) => a + b * b, 0n) * 10_000n) / (all * all)) };
      }),
      log: { origin: this.log.origin, key: this.log.public.toString('hex'), size: this.log.leaves.length, root: this.log.root.toString('hex') },
    };
  }
}

// ---- What a directory serves
const PAGE = new URL('../../network/directory/ledger/', import.meta.url);
export const size = () => ['index.html', 'ledger.js', 'ledger.css'].reduce((sum, name) => sum + readFileSync(new URL(name, PAGE)).length, 0);
export const CSP = "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'";
// `tamper` changes the summary before it is served; `files` has what is served instead, by path.
export function answer(network, path, { tamper = (summary) => summary, files = {}, rendered } = {}) {
  if (path in files) return files[path];
  // As the directory writes it, if that is at hand: with a table for those without the script.
  if (path === '/') return ['text/html; charset=utf-8', readFileSync(rendered ?? new URL('index.html', PAGE))];
  if (path === '/ledger.js') return ['text/javascript', readFileSync(new URL('ledger.js', PAGE))];
  if (path === '/ledger.css') return ['text/css', readFileSync(new URL('ledger.css', PAGE))];
  if (path === '/v1/ledger/summary.json') return ['application/json', JSON.stringify(tamper(network.summary()))];
  if (path === '/checkpoint') return ['text/plain; charset=utf-8', network.log.note()];
  const [, from] = /^\/consistency\/(\d+)$/.exec(path) ?? [], growth = from && network.log.growth(Number(from));
  if (growth) return ['text/plain; charset=utf-8', growth];
  return null;
}

if (process.argv[1] === new URL(import.meta.url).pathname) console.log(JSON.stringify(new Network().summary()));
