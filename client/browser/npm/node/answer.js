// An answer as it streams in: either whole, or an error that says it is not.
import { answered, isBodiless } from '../common/answer.js';
import { incomplete, stalled } from '../common/error.js';

const BUFFERED = 64 * 1024;
const HOP = ['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade', 'trailer'];

/** The answer to a request for `url`, as `fetch` gives it. */
export function response(message, connection, { url, method, idle, signal }) {
  const { statusCode: status, statusMessage: statusText } = message;
  const head = { status, statusText, headers: headers(message.rawHeaders), url, method };
  if (isBodiless(head)) message.resume();
  return answered(head, () => stream(message, connection, idle, signal));
}

function headers(raw) {
  const found = [];
  for (let at = 0; at < raw.length; at += 2) {
    if (!HOP.includes(raw[at].toLowerCase())) found.push([raw[at], raw[at + 1]]);
  }
  return found;
}

function stream(message, connection, idle, signal) {
  let timer;
  const onAbort = () => connection.end(signal.reason);
  const rest = () => clearTimeout(timer);
  const wait = () => {
    rest();
    timer = setTimeout(() => connection.end(stalled('next piece of the answer', idle)), idle);
  };
  const over = () => {
    rest();
    signal?.removeEventListener('abort', onAbort);
  };
  return new ReadableStream({
    start(controller) {
      const fail = (error) => {
        over();
        // Where it has ended already, there is no more to say.
        try { controller.error(connection.why(error, 'answer')); } catch { /* closed */ }
      };
      message.on('data', (chunk) => {
        if (!connection.isTrusted) return fail(incomplete('answer'));
        controller.enqueue(new Uint8Array(chunk));
        if (controller.desiredSize > 0) return wait();
        // Its reader pauses, not the peer.
        rest();
        message.pause();
      });
      message.once('end', () => {
        if (!message.complete || !connection.isTrusted) return fail(incomplete('answer'));
        over();
        controller.close();
      });
      message.once('error', fail);
      message.once('close', () => { if (!message.complete) fail(incomplete('answer')); });
      signal?.addEventListener('abort', onAbort);
      if (signal?.aborted) return onAbort();
      wait();
    },
    pull() {
      wait();
      message.resume();
    },
    cancel() {
      over();
      connection.end(incomplete('answer'));
    },
  }, new ByteLengthQueuingStrategy({ highWaterMark: BUFFERED }));
}
