// A request, filled so that its ciphertext shows little of the prompt's length: JSON, with white space, to a power of two.
import * as common from '../common/request.js';

const [FLOOR, MOST] = [4096, 1024 * 1024];
const [FORMS, SPACE, BRACE] = [['/v1/audio/transcriptions', '/v1/tab'], 0x20, 0x7b];

/** What is sent, of what `fetch` was called with. */
export async function request(input, init, origin) {
  const asked = await common.request(input, init, origin);
  return { ...asked, body: asked.body && filled({ ...asked, body: Buffer.from(asked.body.buffer) }) };
}

function filled({ path, headers, body }) {
  const first = body.find((byte) => !' \t\r\n\f'.includes(String.fromCharCode(byte)));
  if (first !== BRACE || FORMS.includes(path.split('?')[0]) || headers['content-encoding']) return body;
  const length = 2 ** Math.ceil(Math.log2(Math.max(body.length, FLOOR)));
  return length > MOST ? body : Buffer.concat([body, Buffer.alloc(length - body.length, SPACE)]);
}
