// The ledger: what a directory says of its network, and this browser's own check of it. Trusts nothing that was fetched but for what a
// signature, the price rule or the log's tree shows. Text from outside goes into text nodes and nowhere else.

// ---- Bytes

// What is wrong, under the code of docs/reference/rejections.md.
export class Refused extends Error {
  constructor(code, what) { super(what); this.code = code; }
}
const U64 = (1n << 64n) - 1n;
const MAX_SIGNED = 512;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const ascii = (text) => new TextEncoder().encode(text);
const label = (text) => join(Uint8Array.of(text.length), ascii(text));
export const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
const same = (a, b) => a.length === b.length && a.every((byte, at) => byte === b[at]);
export function unhex(text) {
  if (typeof text !== 'string' || !/^([0-9a-f]{2})*$/.test(text)) throw new Refused('malformed', 'hexadecimal digits');
  return Uint8Array.from(text.match(/../g) ?? [], (byte) => parseInt(byte, 16));
}
export function unbase64(text) {
  try { return Uint8Array.from(atob(text), (char) => char.charCodeAt(0)); } catch { throw new Refused('malformed', 'base64'); }
}
function join(...parts) {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) { all.set(part, at); at += part.length; }
  return all;
}
const sha256 = async (...parts) => new Uint8Array(await crypto.subtle.digest('SHA-256', join(...parts)));

// Deterministic CBOR (RFC 8949 §4.2.1): integers as BigInt, byte strings, text, arrays, and maps from text in the one order. No more.
export function decode(bytes) {
  const bad = (what) => { throw new Refused('report_malformed', what); };
  let at = 0;
  const take = (length) => {
    if (length > bytes.length - at) bad('it ends early');
    at += length;
    return bytes.subarray(at - length, at);
  };
  const item = (depth) => {
    if (depth > 4) bad('it is nested too deeply');
    const [first] = take(1), major = first >> 5, low = first & 31;
    let number = BigInt(low);
    if (low > 27) bad('a length that is not definite');
    if (low > 23) {
      const size = 1 << (low - 24);
      number = take(size).reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
      if (number < (size === 1 ? 24n : 1n << BigInt(size * 4))) bad('a number longer than needed');
    }
    if (major < 2) return major ? -1n - number : number;
    if (major > 5) bad('a type that no report has');
    if (number > bytes.length) bad('it ends early');
    const count = Number(number);
    if (major === 2) return take(count);
    if (major === 3) { try { return utf8.decode(take(count)); } catch { bad('text that is not UTF-8'); } }
    if (major === 4) return Array.from({ length: count }, () => item(depth + 1));
    const map = new Map();
    let last = '';
    for (let left = count; left > 0; left -= 1) {
      const from = at, name = item(depth + 1), key = hex(bytes.subarray(from, at));
      if (typeof name !== 'string') bad('a name that is not text');
      if (key <= last) bad('names out of order, or one twice');
      last = key;
      map.set(name, item(depth + 1));
    }
    return map;
  };
  const value = item(0);
  if (at !== bytes.length) bad('something follows it');
  return value;
}

// ---- Reports (docs/spec/price.md)

const isU64 = (value) => typeof value === 'bigint' && value >= 0n;
const isKey = (value) => value instanceof Uint8Array && value.length === 32;
const areFour = (value) => Array.isArray(value) && value.length === 4 && value.every(isU64);
const FIELDS = {
  version: (value) => value === 1n, receipt_key: isKey, weights: isKey, epoch: isU64, floor: isU64, x: isU64, rates: areFour, asked: areFour,
  used: isU64, capacity: isU64, jobs: isU64, failed: isU64, revenue: isU64, tabs: isU64, first_token_ms: isU64, tokens_per_second: isU64,
  ended: (value) => typeof value === 'bigint' && BigInt.asIntN(64, value) === value,
};
function fields(bytes, wanted) {
  const map = bytes.length <= MAX_SIGNED ? decode(bytes) : null;
  if (!(map instanceof Map)) throw new Refused('report_malformed', 'it is too long, or not a map');
  for (const [name, fits] of Object.entries(wanted)) {
    if (!fits(map.get(name))) throw new Refused('report_malformed', `its field ${name}`);
  }
  if (map.size !== Object.keys(wanted).length) throw new Refused('report_malformed', 'an unknown field');
  return Object.fromEntries(map);
}

// A report, once its enclave's key has signed it.
export async function verify(bytes) {
  const isBytes = (value) => value instanceof Uint8Array;
  const signed = fields(bytes, { report: isBytes, signature: (value) => isBytes(value) && value.length === 64 });
  const report = fields(signed.report, FIELDS);
  if (!await signs(report.receipt_key, signed.signature, await sha256(label('chrysalis/report/v1'), signed.report))) {
    throw new Refused('report_signature', 'the key in it did not sign it');
  }
  return report;
}
async function signs(key, signature, message) {
  try {
    const imported = await crypto.subtle.importKey('raw', key, 'Ed25519', false, ['verify']);
    return await crypto.subtle.verify('Ed25519', imported, signature, message);
  } catch { return false; }
}
// Whether this browser has Ed25519: by a signature that holds (RFC 8032 §7.1, TEST 1), and one that does not.
export async function hasEd25519() {
  const key = unhex('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a');
  const signature = unhex('e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b');
  return Boolean(globalThis.crypto?.subtle) && await signs(key, signature, new Uint8Array()) && !await signs(key, signature, Uint8Array.of(1));
}

const PER = 1_000_000n, TARGET = 750_000n, STEP = 250_000n, MAX_X = 8_000_000n, SLOWNESS = 2_120_000n;
const clamp = (value, least, most) => (value < least ? least : value > most ? most : value);
const fits = (value) => { if (value > U64) throw new Refused('amount_overflow', 'a price that does not fit'); return value; };

// The price that x and floor make: EIP-4844's fake_exponential.
export function base(floor, x) {
  let sum = 0n, term = floor * SLOWNESS;
  for (let by = SLOWNESS; term > 0n; by += SLOWNESS) {
    sum += term;
    term = (term * x) / by;
  }
  return fits(sum / SLOWNESS);
}
export const prices = (report) => {
  const price = base(report.floor, report.x);
  return report.rates.map((rate) => fits((price * rate + PER - 1n) / PER));
};
// Throws unless the report is the one after `before`, at the price that the rule makes of it; `null`: unless it is an enclave's first.
export function follows(report, before) {
  const broken = (what) => { throw new Refused('price_rule_broken', what); };
  let floor = report.floor, x = 0n;
  if (before) {
    if (!same(report.receipt_key, before.receipt_key) || !same(report.weights, before.weights)) broken('it is about another enclave or model');
    if (report.epoch !== before.epoch + 1n) broken('a report is missing between them');
    if (`${report.rates}` !== `${before.rates}`) broken('the rates changed');
    const step = before.floor / 8n || 1n;
    const share = before.capacity ? (before.used * PER) / before.capacity : TARGET;
    floor = clamp(floor, before.floor > step ? before.floor - step : 0n, clamp(before.floor + step, 0n, U64));
    x = clamp(before.x + clamp(share - TARGET, -STEP, STEP), 0n, MAX_X);
  } else if (report.epoch !== 0n) broken('the report before it is missing');
  if (report.floor !== floor) broken('the floor moved by more than an eighth');
  if (report.x !== x) broken(`x is ${report.x}, the rule makes ${x}`);
  const asked = prices(report);
  if (`${asked}` !== `${report.asked}`) broken(`it asked ${report.asked.join(', ')}; x and floor make ${asked.join(', ')}`);
}
// What a model of this kind asks, of the price of each class of units.
export function priceOf(kind, [prompt, , completion, audio]) {
  return kind === 'speech' ? audio : kind === 'chat' && completion > prompt ? completion : prompt;
}
// The median over capacity of [price, capacity]; null of nothing.
export function index(asked) {
  const sorted = asked.filter(([, capacity]) => capacity > 0n).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  const all = sorted.reduce((sum, [, capacity]) => sum + capacity, 0n);
  let below = 0n;
  return sorted.find(([, capacity]) => { below += capacity; return below * 2n >= all; })?.[0] ?? null;
}
// Shares of the capacity: the largest in thousandths, and the sum of their squares (10 000 is a monopoly). Of [operator, capacity].
export function concentration(asked) {
  const each = new Map();
  for (const [operator, capacity] of asked) each.set(operator, (each.get(operator) ?? 0n) + capacity);
  let all = 0n, largest = 0n, squares = 0n;
  for (const capacity of each.values()) {
    all += capacity;
    squares += capacity * capacity;
    if (capacity > largest) largest = capacity;
  }
  return all ? { largest_share: Number((largest * 1000n) / all), hhi: Number((squares * 10_000n) / (all * all)) } : { largest_share: 0, hhi: 0 };
}
const share = (used, capacity) => (capacity ? Number(clamp((used * 1000n) / capacity, 0n, 1000n)) : 0);

// ---- The log (docs/spec/manifest.md: a signed note, and RFC 9162 §2.1.4.2)

const MAX_TEXT = 64 * 1024, MAX_STEPS = 300;
const node = (left, right) => sha256(Uint8Array.of(1), left, right);
const number = (text) => (/^(0|[1-9][0-9]{0,15})$/.test(text ?? '') ? BigInt(text) : null);
const isHash = (text) => /^[A-Za-z0-9+/]{43}=$/.test(text ?? '');

// The head, once the log's key has signed it.
export async function readCheckpoint(note, key) {
  const bad = (what) => { throw new Refused('checkpoint_malformed', what); };
  const end = note.lastIndexOf('\n\n');
  if (end < 0 || note.length > MAX_TEXT || !note.endsWith('\n')) bad('no empty line before the signatures');
  const text = note.slice(0, end), [origin, size, root, ...more] = text.split('\n');
  if (more.length || !/^[^\s+]{1,256}$/.test(origin) || number(size) === null || !isHash(root)) bad('not origin, size and root');
  const id = (await sha256(ascii(`${origin}\n`), Uint8Array.of(1), key)).subarray(0, 4);
  for (const line of note.slice(end + 2, -1).split('\n')) {
    const [, name, blob] = /^— (\S+) ([A-Za-z0-9+/=]+)$/.exec(line) ?? bad('a signature line');
    const bytes = unbase64(blob);
    if (name !== origin || !same(bytes.subarray(0, 4), id)) continue;
    if (await signs(key, bytes.subarray(4), ascii(`${text}\n`))) return { origin, size, root, note };
    throw new Refused('checkpoint_signature', 'its key did not sign it');
  }
  throw new Refused('checkpoint_unsigned', 'its key did not sign it');
}
// Whether the second tree begins with the first.
export async function isConsistent(first, firstRoot, second, secondRoot, path) {
  if (first >= second || first === 0n) return false;
  let at = first - 1n, last = second - 1n;
  const up = () => { at >>= 1n; last >>= 1n; };
  while (at & 1n) up();
  const rest = [...path];
  let old = (first & (first - 1n)) === 0n ? firstRoot : rest.shift();
  if (!old) return false;
  let found = old;
  for (const sibling of rest) {
    if (last === 0n) return false;
    if (at & 1n || at === last) {
      old = await node(sibling, old);
      found = await node(sibling, found);
      while (!(at & 1n) && at !== 0n) up();
    } else {
      found = await node(found, sibling);
    }
    up();
  }
  return last === 0n && same(old, firstRoot) && same(found, secondRoot);
}
// The head to remember, once it follows the one that was seen: by a proof from each head to the next, which `growth` fetches. Over many heads
// it comes only part of the way at a time.
export async function grew(seen, head, key, growth, steps = MAX_STEPS) {
  const forked = () => { throw new Refused('log_forked', `it signed two histories of ${seen.size} entries`); };
  if (head.origin !== seen.origin) forked();
  if (BigInt(head.size) < BigInt(seen.size)) throw new Refused('log_shrunk', `it had ${seen.size} entries and now has ${head.size}`);
  let at = seen;
  for (let step = 0; step < steps && BigInt(at.size) < BigInt(head.size); step += 1) {
    const missing = () => { throw new Refused('log_growth_missing', `it gives no proof that it still begins with the ${at.size} entries seen before`); };
    const text = await growth(at.size).catch(missing);
    const end = text.indexOf('\n\n'), [old, ...path] = text.slice(0, end).split('\n');
    if (end < 0 || old !== `old ${at.size}` || path.length > 65 || !path.every(isHash)) missing();
    const to = await readCheckpoint(text.slice(end + 2), key);
    if (to.origin !== head.origin) forked();
    if (!await isConsistent(BigInt(at.size), unbase64(at.root), BigInt(to.size), unbase64(to.root), path.map(unbase64))) forked();
    at = to;
  }
  if (at.size === head.size && at.root !== head.root) forked();
  return at;
}

// ---- What is wrong with a provider

// {state, code, what, last, count, good}: `state` is ok, bad, gap (a report was withheld) or none. `before` is what an earlier look found.
export async function examine(provider, kind, weights, earlier) {
  const { last, before } = provider.reports;
  const found = { state: 'none', code: '', what: '', last: null, before: null, texts: [last, before], count: (last ? 1 : 0) + (before ? 1 : 0), good: 0 };
  const end = (state, code, what) => Object.assign(found, { state, code, what });
  if (!last) return end('none', '', 'no report in the last minutes');
  try {
    if (before) {
      found.before = await verify(unbase64(before)).catch((error) => { throw new Refused(error.code, `the report before: ${error.message}`); });
      found.good += 1;
    }
    const report = await verify(unbase64(last));
    if (hex(report.receipt_key) !== provider.receipt_key || hex(report.weights) !== weights) {
      return end('bad', 'listing_mismatch', 'the report is about another enclave or model than the row');
    }
    found.last = report;
    const held = earlier?.last;
    if (held && same(held.receipt_key, report.receipt_key)) {
      const [text] = earlier.texts;
      const again = held.epoch === report.epoch ? last : found.before && held.epoch === found.before.epoch ? before : text;
      if (again !== text) return end('bad', 'report_forked', `it signed two different reports for epoch ${held.epoch}`);
      if (report.epoch < held.epoch) return end('bad', 'report_old', `epoch ${held.epoch} was shown before, epoch ${report.epoch} now`);
    }
    const next = found.before ? found.before.epoch + 1n : 0n;
    if (!found.before ? report.epoch > 0n : report.epoch > next) {
      const from = found.before ? next : report.epoch - 1n, to = report.epoch - 1n;
      return end('gap', 'report_withheld', from === to ? `the report of epoch ${to} is missing` : `the reports of epochs ${from} to ${to} are missing`);
    }
    follows(report, found.before);
    const signed = {
      price: `${priceOf(kind, report.asked)}`, load: share(report.used, report.capacity),
      first_token_ms: Number(report.first_token_ms), tokens_per_second: Number(report.tokens_per_second),
    };
    for (const [name, value] of Object.entries(signed)) {
      if (provider[name] !== value) return end('bad', 'row_mismatch', `the row says ${provider[name]} for ${name}; the enclave signed ${value}`);
    }
    found.good += 1;
    return end('ok', '', '');
  } catch (error) {
    return end('bad', error.code ?? 'report_malformed', error.message);
  }
}
// What of a class does not follow from its verified reports, as text.
export function recount(row, concentrated, kind, members) {
  // An enclave counts once, and for one operator, however many list it.
  const sorted = members.filter(({ found }) => found.last).sort((a, b) => (a.provider.id < b.provider.id ? 1 : -1));
  const each = new Map(sorted.map((row) => [row.provider.receipt_key, row]));
  const asked = [...each.values()];
  const sum = (name) => asked.reduce((all, { found }) => all + found.last[name], 0n);
  const made = index(asked.map(({ found }) => [priceOf(kind, found.last.asked), found.last.capacity]));
  const shares = concentration(asked.map(({ provider, found }) => [provider.operator, found.last.capacity]));
  const wrong = [];
  const compare = (name, says, makes, shown = (value) => value) => {
    if (`${says}` !== `${makes}`) wrong.push(`${name}: the directory says ${shown(says)}, its reports make ${shown(makes)}`);
  };
  const price = (nano) => (nano === null ? 'none' : coins(nano));
  compare('index', row.index, made, price);
  compare('in use', row.utilisation, share(sum('used'), sum('capacity')), percent);
  compare('largest operator', concentrated?.largest_share ?? 0, shares.largest_share, percent);
  compare('HHI', concentrated?.hhi ?? 0, shares.hhi);
  return wrong;
}

// ---- The page

const CHUNK = 25, FEW = 20;
const $ = (id) => document.getElementById(id);
function make(tag, attributes, ...children) {
  const svg = tag === 'svg' || tag === 'path' || tag === 'title' || tag === 'desc';
  const element = svg ? document.createElementNS('http://www.w3.org/2000/svg', tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) element.setAttribute(name, value);
  element.append(...children);
  return element;
}
const show = (element, text) => { if (element.textContent !== text) element.textContent = text; };
const cell = (kind, text, name) => make('td', { role: 'cell', class: kind, ...(name && { 'data-label': name }) }, text);
const heading = (kind, text) => make('th', { role: 'rowheader', scope: 'row', class: kind, title: text }, text);
const count = (value) => value.toLocaleString('en');
const many = (value, one, more = `${one}s`) => `${count(value)} ${value === 1 ? one : more}`;
const percent = (thousandths) => `${(thousandths / 10).toFixed(thousandths < 1000 ? 1 : 0)} %`;
const clock = (unix) => `${new Date(unix * 1000).toISOString().slice(11, 16)} UTC`;
const when = (unix) => `${new Date(unix * 1000).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
// Nano as coins: six places, nine where six show nothing.
export function coins(nano) {
  const value = BigInt(nano), places = value && value < 1000n ? 9 : 6, unit = 10n ** BigInt(9 - places);
  const rounded = (value + unit / 2n) / unit, digits = `${rounded}`.padStart(places + 1, '0');
  return `${digits.slice(0, -places)}.${digits.slice(-places)}`;
}
const WORDS = {
  ok: '✓ yes', bad: '✗ no', gap: '? gap', none: '– none', unchecked: '– no', wait: '…',
};
const RANK = { bad: 0, gap: 1, unchecked: 2, none: 3, wait: 4, ok: 5 };
const DOWN_FIRST = ['load', 'tokens_per_second', 'uptime'];

const page = {
  summary: null, etag: null, can: null, rows: new Map(), by: 'price', up: true, every: false, log: null, failed: null, kept: new Map(),
};

function bands() {
  const { network } = page.summary ?? {};
  const all = [];
  if (page.log?.alarm) {
    const again = make('button', { type: 'button' }, 'Start over with this log');
    again.addEventListener('click', () => { forget(); page.etag = null; turn(); });
    all.push(make('p', { class: 'band alarm', role: 'alert' }, make('strong', {}, 'This directory’s log is not the one seen before. '),
      `${page.log.alarm.code}: ${page.log.alarm.message}. Trust nothing it lists until you know why.`, again));
  }
  if (page.failed) all.push(make('p', { class: 'band' }, make('strong', {}, 'The directory does not answer. '), page.failed));
  if (network?.simulated) {
    all.push(make('p', { class: 'band' }, make('strong', {}, 'Simulated. '), 'These enclaves run without confidential hardware: nothing sent to them is protected.'));
  }
  if (network?.local_chain) all.push(make('p', { class: 'band' }, make('strong', {}, 'Local chain. '), 'Its coins are worth nothing.'));
  const text = (elements) => elements.map((element) => element.textContent).join('\n');
  if (text(all) !== text([...$('bands').children])) $('bands').replaceChildren(...all);
}

// A line of steps, with its numbers as text.
function chart(row, symbol) {
  const points = row.history.filter(([, nano]) => nano !== null).map(([at, nano]) => [at, BigInt(nano)]);
  if (points.length < 2) return [make('small', {}, 'no history yet')];
  const [[from]] = points, to = points.at(-1)[0], last = points.at(-1)[1];
  const low = points.reduce((least, [, nano]) => (nano < least ? nano : least), last);
  const high = points.reduce((most, [, nano]) => (nano > most ? nano : most), last);
  const x = (at) => (((at - from) / (to - from || 1)) * 400).toFixed(1);
  const y = (nano) => (high === low ? 20 : 38 - (Number(((nano - low) * 1000n) / (high - low)) / 1000) * 36).toFixed(1);
  const step = Math.ceil(points.length / 400);
  const line = points.filter((_, at) => at % step === 0 || at === points.length - 1);
  const path = line.map(([at, nano], first) => (first ? `H${x(at)}V${y(nano)}` : `M${x(at)} ${y(nano)}`)).join('');
  const said = `lowest ${coins(low)}, highest ${coins(high)}, first ${coins(points[0][1])}, now ${coins(last)} ${symbol}`;
  return [
    make('svg', { viewBox: '0 0 400 40', preserveAspectRatio: 'none', role: 'img' },
      make('title', {}, `Price of ${row.name} from ${clock(from)} to ${clock(to)}`), make('desc', {}, said),
      make('path', { class: 'area', d: `${path}V40H0Z` }), make('path', { d: path })),
    make('small', {}, `low ${coins(low)} · high ${coins(high)} · since ${clock(from)}`),
  ];
}

function classes() {
  const { summary } = page;
  const concentrated = new Map(summary.concentration.map((row) => [row.class, row]));
  $('classes').replaceChildren(...summary.classes.map((row) => {
    const { largest_share = 0, hhi = 0 } = concentrated.get(row.name) ?? {};
    const wrong = page.wrong?.get(row.name) ?? [];
    const price = make('td', { role: 'cell', class: 'n price' }, make('strong', {}, row.index === null ? '–' : coins(row.index)), make('small', {}, summary.network.symbol));
    const line = make('tr', { role: 'row', 'data-state': wrong.length ? 'bad' : 'ok' }, heading('', row.name), price,
      make('td', { role: 'cell', class: 'chart' }, ...chart(row, summary.network.symbol)),
      cell('n', percent(row.utilisation), 'in use'), cell('n', percent(largest_share), 'largest'), cell('n', count(hhi), 'HHI'));
    if (wrong.length) line.append(cell('why', wrong.join('; ')));
    return line;
  }));
  const names = ['', ...summary.classes.map((row) => row.name)];
  if (`${[...$('class').options].map((option) => option.value)}` !== `${names}`) {
    const chosen = $('class').value;
    $('class').replaceChildren(...names.map((name) => make('option', { value: name }, name || 'All')));
    $('class').value = names.includes(chosen) ? chosen : '';
  }
}

function operators() {
  const rows = [...page.summary.operators].sort((a, b) => b.capacity_share - a.capacity_share || (a.operator < b.operator ? -1 : 1));
  $('operators').replaceChildren(...rows.slice(0, page.every ? rows.length : FEW).map((row) => make('tr', { role: 'row' },
    heading('key', row.operator), make('td', { role: 'cell', class: 'key', title: row.payee, 'data-label': 'paid to' }, row.payee),
    cell('n', count(row.providers), 'enclaves'), cell('n', percent(row.capacity_share), 'capacity'),
    cell('n', coins(row.signed), 'signed'), cell('n', row.paid === null ? 'not asked' : (row.paid_whole ? '' : '≥ ') + coins(row.paid), 'paid'))));
  $('all-operators').hidden = page.every || rows.length <= FEW;
  show($('all-operators'), `Show all ${count(rows.length)}`);
}

function providers() {
  const { summary } = page;
  const ids = new Set();
  for (const provider of summary.providers) {
    ids.add(provider.id);
    let row = page.rows.get(provider.id);
    if (!row) {
      const line = make('tr', { role: 'row' }, cell('state', ''), heading('key', ''),
        cell('model', ''), cell('region', ''), cell('platform', ''), cell('release', ''), cell('n price-each', ''), cell('n', '', 'in use'),
        cell('n', '', 'first token'), cell('n', '', 'tokens/s'), cell('n', '', 'up'));
      row = { line, cells: [...line.children], state: 'wait', found: null };
      page.rows.set(provider.id, row);
    }
    row.provider = provider;
    const gpus = provider.gpus ? `, ${provider.gpus} GPU` : '';
    [null, provider.operator, provider.class, provider.region || '–', provider.platform + gpus, provider.release, coins(provider.price), percent(provider.load),
      provider.first_token_ms ? `${count(provider.first_token_ms)} ms` : '–', count(provider.tokens_per_second), percent(provider.uptime),
    ].forEach((text, at) => {
      if (text === null || row.cells[at].textContent === text) return;
      row.cells[at].textContent = text;
      if (at > 0 && at < 6) row.cells[at].title = text;
    });
    row.text = `${provider.operator} ${provider.id} ${provider.region} ${provider.platform} ${provider.release} ${provider.class}`.toLowerCase();
    state(row);
  }
  for (const id of page.rows.keys()) if (!ids.has(id)) page.rows.delete(id);
}

function state(row) {
  const { found } = row;
  row.state = page.can === false ? 'unchecked' : found?.state ?? 'wait';
  row.line.dataset.state = row.state;
  show(row.cells[0], WORDS[row.state]);
  const why = page.can !== false && found?.code ? `${found.code}: ${found.what}` : '';
  if (why) {
    row.why ??= cell('why', '');
    show(row.why, why);
    if (!row.why.isConnected || row.why.parentNode !== row.line) row.line.append(row.why);
  } else if (row.why) row.why.remove();
}

// Puts the rows that the filter wants into the table, in order, by chunks that the browser lays out once they come near.
function arrange() {
  const [wanted, word] = [$('class').value, $('find').value.trim().toLowerCase()];
  const rows = [...page.rows.values()].filter(({ provider, text }) => (!wanted || provider.class === wanted) && text.includes(word));
  const { by, up } = page;
  const value = (row) => (by === 'state' ? RANK[row.state] : by === 'price' ? BigInt(row.provider.price) : row.provider[by]);
  const keyed = rows.map((row) => [value(row), row]);
  keyed.sort(([a, one], [b, two]) => (a < b ? -1 : a > b ? 1 : 0) * (up ? 1 : -1) || (one.provider.id < two.provider.id ? -1 : 1));
  const table = document.querySelector('table.providers');
  const bodies = [...table.tBodies];
  for (let at = 0; at < Math.max(keyed.length, 1); at += CHUNK) {
    const lines = keyed.slice(at, at + CHUNK).map(([, row]) => row.line);
    const body = bodies.shift() ?? table.appendChild(make('tbody', { role: 'rowgroup' }));
    if (lines.length !== body.children.length || lines.some((line, place) => body.children[place] !== line)) body.replaceChildren(...lines);
  }
  for (const body of bodies) body.remove();
  for (const head of $('columns').children) {
    const on = head.dataset.by === by;
    if (on) head.setAttribute('aria-sort', up ? 'ascending' : 'descending'); else head.removeAttribute('aria-sort');
  }
  const all = page.rows.size;
  show($('count'), `${rows.length === all ? many(all, 'provider') : `${count(rows.length)} of ${many(all, 'provider')}`}. Prices in ${page.summary.network.symbol} for a million; of chat, the dearer of prompt and answer.`);
}

function verdict(text, kind, detail) {
  show($('verdict'), text);
  $('verdict').dataset.state = kind;
  show($('detail'), detail);
}

function findings() {
  const wrong = [];
  for (const { provider, found } of page.rows.values()) if (found?.code) wrong.push([`Provider ${provider.id.slice(0, 8)} of operator ${provider.operator.slice(0, 8)}: `, `${found.code}: ${found.what}`]);
  for (const [name, lines] of page.wrong ?? []) for (const line of lines) wrong.push([`${name}: `, line]);
  $('findings').hidden = !wrong.length;
  const shown = wrong.slice(0, FEW).map(([who, what]) => make('li', {}, make('strong', {}, who), what));
  if (wrong.length > FEW) shown.push(make('li', {}, `and ${many(wrong.length - FEW, 'more', 'more')}: sort the providers by “Checked”`));
  $('findings').replaceChildren(...shown);
  return wrong.length;
}

async function check() {
  const began = performance.now();
  const { summary } = page;
  const kinds = new Map(summary.classes.map((row) => [row.name, row]));
  const rows = [...page.rows.values()];
  for (let at = 0; at < rows.length; at += 250) {
    await Promise.all(rows.slice(at, at + 250).map(async (row) => {
      const { provider, found } = row, { kind = '', weights = '' } = kinds.get(provider.class) ?? {};
      const asked = JSON.stringify(provider);
      if (row.asked !== asked) {
        const next = await examine(provider, kind, weights, found?.last ? found : page.kept.get(provider.id));
        if (next.last && next.state !== 'bad') page.kept.set(provider.id, { last: next.last, texts: next.texts });
        Object.assign(row, { asked, found: next });
      }
      state(row);
    }));
    if (rows.length > 500) verdict(`Verifying ${count(Math.min(at + 250, rows.length))} of ${many(rows.length, 'provider')} …`, 'none', $('detail').textContent);
  }
  page.wrong = new Map();
  for (const row of summary.classes) {
    const members = rows.filter(({ provider }) => provider.class === row.name);
    const wrong = recount(row, summary.concentration.find((it) => it.class === row.name), row.kind, members);
    if (wrong.length) page.wrong.set(row.name, wrong);
  }
  return (performance.now() - began) / 1000;
}

function conclude(seconds) {
  const rows = [...page.rows.values()];
  const sum = (name) => rows.reduce((all, { found }) => all + found[name], 0);
  const [all, good, held] = [sum('count'), sum('good'), rows.filter(({ found }) => found.state === 'gap').length];
  const wrong = findings();
  const ended = ![...page.wrong.values()].flat().length ? 'index recomputed' : [...page.wrong.values()].flat().some((line) => line.startsWith('index')) ? 'index does not follow' : 'figures do not follow';
  const kind = page.log?.alarm || (wrong && (good < all - held || page.wrong.size)) || rows.some(({ found }) => found.state === 'bad') ? 'bad' : wrong || !page.log?.head ? 'warn' : 'ok';
  const detail = [`As of ${when(page.summary.at)}`, `checked in ${seconds < 1 ? `${Math.ceil(seconds * 1000)} ms` : `${seconds.toFixed(1)} s`}`];
  if (held) detail.push(`${many(held, 'provider')} with reports withheld`);
  if (page.log?.alarm) detail.push('the log is not the one seen before');
  else if (page.log?.what) detail.push(page.log.short);
  if (Date.now() / 1000 - page.summary.at > 600) detail.push('this copy is old');
  verdict(all ? `${count(good)} of ${many(all, 'report')} verified here, ${ended}` : 'No reports to verify yet', all ? kind : 'none', `${detail.join(' · ')}.`);
}

// ---- Following the log

const place = () => `chrysalis/ledger/${page.summary.network.name}/${page.summary.log.origin}`;
function seen() { try { return JSON.parse(localStorage.getItem(place())); } catch { return null; } }
function remember(head) { try { localStorage.setItem(place(), JSON.stringify(head)); return true; } catch { return false; } }
function forget() { try { localStorage.removeItem(place()); } catch { /* then there is nothing to forget */ } }

async function text(path) {
  const answer = await fetch(path, { cache: 'no-cache' });
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  const body = await answer.text();
  if (body.length > MAX_TEXT) throw new Error(`${path}: too long`);
  return body;
}

async function follow() {
  const { log } = page.summary, before = seen();
  let note = '';
  try {
    const key = unhex(log.key);
    note = await text('checkpoint');
    let head = await readCheckpoint(note, key);
    if (head.origin !== log.origin) throw new Refused('log_forked', 'the head has another origin');
    if (head.size === `${log.size}` && hex(unbase64(head.root)) !== log.root) throw new Refused('log_forked', `two heads with ${head.size} entries`);
    if (before && before.key !== log.key) throw new Refused('log_key_changed', 'another key signs it now');
    let what = 'First seen by this browser now; from here on it notices a log that forks or shrinks.', short = 'log seen for the first time';
    if (before) {
      const newest = head, entries = many(Number(before.size), 'entry', 'entries');
      head = await grew(before, head, key, (from) => text(`consistency/${from}`));
      const stayed = head.size === before.size;
      short = stayed ? 'log as seen before' : 'log follows the one seen before';
      what = stayed ? `Has the ${entries} seen by this browser on ${when(before.at)}.` : `Grew from the ${entries} seen by this browser on ${when(before.at)}; the proof of growth holds.`;
      if (BigInt(head.size) < BigInt(newest.size)) {
        short = 'log followed in part';
        what = `Followed from ${before.size} to ${head.size} of ${newest.size} entries; the next look goes on.`;
      }
    }
    if (!remember({ ...head, key: log.key, at: Math.floor(Date.now() / 1000) })) what = 'This browser keeps nothing, so it cannot notice a log that forks or shrinks.';
    page.log = { head, what, short };
  } catch (error) {
    // A directory that gives no head is down or hides it; one that gives a wrong one has lied.
    if (error instanceof Refused) page.log = { alarm: error, notes: [before?.note, note] };
    else page.log = { what: `Its head cannot be had: ${error.message}`, short: 'the log’s head is missing' };
  }
}

function logSection() {
  const { log } = page.summary, head = page.log?.head;
  show($('followed'), page.log?.alarm ? `${page.log.alarm.code}: ${page.log.alarm.message}.` : page.log?.what ?? 'Nothing is verified here.');
  const rows = { Origin: log.origin, Entries: count(head ? Number(head.size) : log.size), Root: head ? hex(unbase64(head.root)) : log.root, Key: log.key };
  $('head').replaceChildren(...Object.entries(rows).flatMap(([name, value]) => [make('dt', {}, name), make('dd', { class: value.length > 60 ? 'key' : '' }, value)]));
  $('proof').hidden = !page.log?.notes?.[0];
  show($('heads'), page.log?.notes?.join('\n') ?? '');
}

// ---- One look, and the next

async function look() {
  const answer = await fetch('v1/ledger/summary.json', { cache: 'no-cache' });
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  const etag = answer.headers.get('etag');
  if (page.summary && etag && etag === page.etag) return;
  const summary = await answer.json();
  if (summary.version !== 1) throw new Error('its figures have another version than this page reads');
  Object.assign(page, { summary, etag });
  show($('name'), summary.network.name);
  document.title = `Ledger of ${summary.network.name}`;
  page.can ??= await hasEd25519();
  bands();
  classes();
  operators();
  providers();
  logSection();
  $('filter').hidden = false;
  arrange();
  if (!page.can) {
    verdict('Nothing is verified here', 'warn', `This browser has no Ed25519 in WebCrypto${globalThis.isSecureContext ? '' : ' on a page that did not come over https'}: these are the directory’s own figures, as of ${when(summary.at)}.`);
    return;
  }
  const [seconds] = await Promise.all([check(), follow()]);
  if (page.by === 'state') arrange();
  classes();
  bands();
  logSection();
  conclude(seconds);
}

let timer = 0, turning = false;
async function turn() {
  if (turning) return;
  turning = true;
  clearTimeout(timer);
  try {
    await look();
    page.failed = null;
  } catch (error) {
    page.failed = page.summary ? `${error.message}. Below is what it said at ${when(page.summary.at)}.` : `${error.message}.`;
    if (!page.summary) verdict('Nothing is verified here', 'warn', 'The directory’s figures could not be had.');
  }
  bands();
  turning = false;
  const refresh = Number(page.summary?.refresh) || 20;
  if (!document.hidden) timer = setTimeout(turn, Math.min(Math.max(refresh, 1), 60) * 1000);
}

function start() {
  for (const head of $('columns').children) {
    const button = make('button', { type: 'button' }, head.textContent);
    button.addEventListener('click', () => {
      const { by } = head.dataset;
      page.up = page.by === by ? !page.up : !DOWN_FIRST.includes(by);
      page.by = by;
      arrange();
    });
    head.replaceChildren(button);
  }
  $('class').addEventListener('change', arrange);
  $('find').addEventListener('input', arrange);
  $('filter').addEventListener('submit', (event) => event.preventDefault());
  $('all-operators').addEventListener('click', () => { page.every = true; operators(); });
  document.addEventListener('visibilitychange', () => { if (!document.hidden) turn(); });
  turn();
}
if (globalThis.document) start();
