// A saved session: a conversation's evidence and what it is bound to, which `chrysalis verify FILE` and `verify` take. Deterministic CBOR
// (RFC 8949 §4.2.1) of a map whose keys stand in their order.
const [BYTES, TEXT, MAP] = [2, 3, 5];

export function encode({ spki, nonce, bundle, exporter, agreement }) {
  const entries = [['spki', spki], ['nonce', nonce], ['bundle', bundle], ['exporter', exporter]].map(([key, value]) => [text(key), head(BYTES, value.length), value]);
  if (agreement !== undefined) entries.push([text('agreement'), text(agreement)]);
  return new Uint8Array(Buffer.concat([head(MAP, entries.length), ...entries.flat()]));
}

const text = (word) => Buffer.concat([head(TEXT, word.length), Buffer.from(word, 'ascii')]);

function head(major, length) {
  if (length < 24) return Buffer.of((major << 5) | length);
  if (length < 256) return Buffer.of((major << 5) | 24, length);
  const long = Buffer.alloc(length < 65536 ? 3 : 5);
  long[0] = (major << 5) | (length < 65536 ? 25 : 26);
  long.writeUIntBE(length, 1, long.length - 1);
  return long;
}
