// A second implementation of docs/spec/network.md: what a client checks of a listing before it connects, and the index.
import { Refused, fields, i64, label, sha, signed, sized, u64 } from './receipts.mjs';

const word = (value) => typeof value === 'string' && /^[\x21-\x7e]{1,128}$/.test(value);
const one = (value) => value === 1n;
const hashed = (name) => (bytes) => sha(label(name), bytes);
const PLATFORMS = ['snp', 'tdx', 'simulated'], KINDS = ['chat', 'embedding', 'rerank', 'speech'];

export function readOffer(bytes) {
  const { offer, signature } = fields(bytes, 768, 'offer_malformed', { offer: Buffer.isBuffer, signature: sized(64) });
  const read = fields(offer, 768, 'offer_malformed', {
    version: one, receipt_key: sized(32), epoch: u64, evidence: sized(32), configuration: sized(32), release: word,
    platform: (value) => PLATFORMS.includes(value), gpus: u64, model: word, kind: (value) => KINDS.includes(value),
    weights: sized(32), context: u64, slots: (value) => u64(value) && value > 0n, tokens_per_second: u64,
  });
  if (!signed(read.receipt_key, offer, signature, hashed('chrysalis/offer/v1'))) throw new Refused('offer_signature');
  return read;
}

const ipv4 = (text) => text.split('.').length === 4 && text.split('.').every((it) => /^(0|[1-9]\d{0,2})$/.test(it) && Number(it) < 256);
const MAPPED = /^\[::ffff:([\d.]+)\]$/;
function ipv6(text) {
  if (MAPPED.test(text)) return ipv4(text.match(MAPPED)[1]);
  try {
    return new URL(`http://${text}/`).hostname === text;
  } catch {
    return false;
  }
}
// HOST:PORT as the standards write them, or null.
export function readEndpoint(text) {
  const [, host, port] = /^(.*):([1-9]\d{0,4})$/s.exec(text) ?? [];
  if (host === undefined || text.length > 255 || Number(port) > 65535) return null;
  if (host.startsWith('[')) return ipv6(host) ? host : null;
  if (ipv4(host)) return host;
  const labels = host.split('.');
  const name = labels.every((it) => /^(?!-)[a-z0-9-]{1,63}(?<!-)$/.test(it)) && !/^\d/.test(labels.at(-1));
  return name ? host : null;
}
// As far as the vectors go: the ranges that listings are most often wrong about.
export function isPublic(host) {
  if (MAPPED.test(host)) return isPublic(host.match(MAPPED)[1]);
  if (host.startsWith('[')) return /^\[[23]/.test(host) && !/^\[(2001:(db8|0?):|3fff:)/.test(host);
  const [a, b] = host.split('.').map(Number);
  if (/^[\d.]+$/.test(host)) return !(a === 0 || a === 10 || a === 127 || a > 223 || (a === 169 && b === 254) || (a === 172 && b > 15 && b < 32) || (a === 192 && b === 168));
  return host.includes('.') && !/\.(localhost|local|internal|home\.arpa|lan|alt|onion)$/.test(host);
}

export function readListing(bytes, { network, classes, now }) {
  const { listing, signature } = fields(bytes, 1024, 'listing_malformed', { listing: Buffer.isBuffer, signature: sized(64) });
  const endpoints = (value) => Array.isArray(value) && value.length > 0 && value.length < 5
    && new Set(value).size === value.length && value.every((it) => typeof it === 'string' && readEndpoint(it) !== null);
  const read = fields(listing, 1024, 'listing_malformed', {
    version: one, network: sized(32), operator: sized(32), seq: u64, payee: sized(32), lane_min: u64, delay_min: u64, endpoints,
    region: (value) => value === '' || (word(value) && value.length < 33), offer: (value) => Buffer.isBuffer(value) && value.length < 769, until: i64,
  });
  if (!signed(read.operator, listing, signature, hashed('chrysalis/listing/v1'))) throw new Refused('listing_signature');
  const offer = readOffer(read.offer), hex = (it) => it.toString('hex');
  if (hex(read.network) !== network) throw new Refused('listing_network');
  if (!classes.includes(hex(offer.weights))) throw new Refused('listing_class');
  if (read.until <= now) throw new Refused('listing_expired');
  if (read.until > now + 3600n) throw new Refused('listing_too_long');
  if (!read.endpoints.every((it) => isPublic(readEndpoint(it)))) throw new Refused('endpoint_private');
  const id = sha(label('chrysalis/provider/v1'), read.operator, offer.receipt_key, offer.weights).subarray(0, 16);
  return { ...read, offer, id: hex(id) };
}
// Whether an offer is about these claims, and this evidence.
export function isAbout(offer, claims, evidence) {
  const same = (one, other) => Buffer.compare(one, other) === 0;
  const model = claims.models.find(({ name }) => name === offer.model);
  const about = same(offer.receipt_key, claims.receipt_key) && same(offer.configuration, claims.configuration) && offer.release === claims.release
    && model && same(model.weights, offer.weights) && model.kind === offer.kind && offer.epoch === claims.epoch && same(offer.evidence, evidence);
  if (!about) throw new Refused('listing_mismatch');
}
export const priceOf = (kind, [prompt, , completion, audio]) => (kind === 'speech' ? audio : kind === 'chat' && completion > prompt ? completion : prompt);
export function index(asked) {
  const sorted = asked.filter(([, capacity]) => capacity > 0n).sort(([one], [other]) => (one < other ? -1 : one > other ? 1 : 0));
  const all = sorted.reduce((sum, [, capacity]) => sum + capacity, 0n);
  let below = 0n;
  return sorted.find(([, capacity]) => (below += capacity) * 2n >= all)?.[0] ?? null;
}
