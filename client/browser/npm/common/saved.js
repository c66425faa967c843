// A saved session: a conversation's evidence and what it is bound to, which `chrysalis verify FILE` and `verify` take. Deterministic CBOR
// (RFC 8949 §4.2.1) of a map whose keys stand in their order.
const [BYTES, TEXT, MAP] = [2, 3, 5];
const NAMES = ['spki', 'nonce', 'bundle', 'exporter'];

export function encode(session) {
  const entries = NAMES.map((name) => [text(name), head(BYTES, session[name].length), session[name]]);
  if (session.agreement !== undefined) entries.push([text('agreement'), text(session.agreement)]);
  return joined([head(MAP, entries.length), ...entries.flat()]);
}

/** What a saved session has; nothing if these bytes are not exactly what `encode` writes. */
export function decode(bytes) {
  let at = 1;
  const item = () => {
    const short = bytes[at++] & 31;
    let length = short < 24 ? short : 0;
    for (let more = { 24: 1, 25: 2, 26: 4 }[short] ?? 0; more > 0; more -= 1) length = length * 256 + bytes[at++];
    return bytes.slice(at, at += length);
  };
  const found = new Map();
  // Whatever is not there makes `at` no number, which ends this as well.
  while (at < bytes.length) found.set(ascii(item()), item());
  if (NAMES.some((name) => !found.has(name))) return undefined;
  const session = Object.fromEntries(NAMES.map((name) => [name, found.get(name)]));
  if (found.has('agreement')) session.agreement = ascii(found.get('agreement'));
  const again = encode(session);
  return again.length === bytes.length && again.every((byte, index) => byte === bytes[index]) ? session : undefined;
}

const ascii = (bytes) => String.fromCharCode(...bytes.subarray(0, 64));
const text = (word) => joined([head(TEXT, word.length), Uint8Array.from(word, (letter) => letter.charCodeAt(0))]);

function head(major, length) {
  if (length < 24) return Uint8Array.of((major << 5) | length);
  if (length < 256) return Uint8Array.of((major << 5) | 24, length);
  const long = new DataView(new ArrayBuffer(length < 65536 ? 3 : 5));
  long.setUint8(0, (major << 5) | (length < 65536 ? 25 : 26));
  if (length < 65536) long.setUint16(1, length);
  else long.setUint32(1, length);
  return new Uint8Array(long.buffer);
}

function joined(parts) {
  const all = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
