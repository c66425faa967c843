// TLS to a peer that no certificate authority vouches for. The handshake proves that it has the key of the certificate that it shows; whose
// key that is, only evidence says. No name in a certificate is looked at.
import { randomBytes } from 'node:crypto';
import http from 'node:http';
import net from 'node:net';
import tls from 'node:tls';
import { stalled, misspoke, Untrusted } from '../common/error.js';

const ALPN = 'http/1.1';
// RFC 9266.
const [EXPORTER, EXPORTER_LENGTH] = ['EXPORTER-Channel-Binding', 32];
// Post-quantum first: what is recorded today must not be readable one day.
const GROUPS = 'X25519MLKEM768:X25519:P-256:P-384';
// What OpenSSL calls a group, and the registered name that policies know.
const AGREEMENTS = { X25519MLKEM768: 'X25519MLKEM768', X25519: 'x25519', prime256v1: 'secp256r1', 'P-256': 'secp256r1', secp384r1: 'secp384r1', 'P-384': 'secp384r1' };

/** Whether this Node can agree on keys that a quantum computer does not find: with OpenSSL 3.5, which Node 24 has. */
export const postQuantum = (() => {
  try {
    return Boolean(tls.createSecureContext({ ecdhCurve: GROUPS }));
  } catch {
    return false;
  }
})();

/** Opens TCP, then TLS 1.3 with whatever answers. Every connection is a new handshake: no session is resumed. */
export async function open({ hostname, port }, deadlines, signal) {
  const tcp = net.connect({ host: hostname, port, noDelay: true });
  await reached(tcp, 'connect', deadlines.connect, 'TCP connection', signal);
  const socket = tls.connect({
    socket: tcp,
    // Not trust, and none is needed yet: this connection can ask for evidence and nothing else.
    rejectUnauthorized: false,
    servername: net.isIP(hostname) ? '' : hostname,
    minVersion: 'TLSv1.3',
    maxVersion: 'TLSv1.3',
    ALPNProtocols: [ALPN],
    ...(postQuantum ? { ecdhCurve: GROUPS } : {}),
  });
  await reached(socket, 'secureConnect', deadlines.handshake, 'TLS handshake', signal);
  return socket;
}

function reached(socket, event, limit, what, signal) {
  return new Promise((resolve, reject) => {
    const fail = (error) => { settle(); socket.destroy(); reject(error); };
    const timer = setTimeout(() => fail(stalled(what, limit)), limit);
    const onEvent = () => { settle(); resolve(); };
    const onError = (error) => fail(fault(error, what));
    const onClose = () => fail(new Untrusted('unreachable', `it closed the connection during the ${what}`));
    const onAbort = () => fail(signal.reason);
    const settle = () => {
      clearTimeout(timer);
      socket.off(event, onEvent).off('close', onClose).off('error', onError);
      // Whatever a socket says later is its request's to hear; it must never end the process.
      socket.on('error', () => {});
      signal?.removeEventListener('abort', onAbort);
    };
    socket.once(event, onEvent).once('error', onError).once('close', onClose);
    signal?.addEventListener('abort', onAbort);
    if (signal?.aborted) onAbort();
  });
}

function fault(error, what) {
  if (String(error.code).startsWith('ERR_SSL') || error.library) return misspoke(`the ${what} failed: ${error.reason ?? error.message}`);
  return new Untrusted('unreachable', `the ${what} failed: ${error.message || error.code}`);
}

/** What both ends of a connection know of it, and nobody between them can choose. */
export function binding(socket) {
  if (socket.getProtocol() !== 'TLSv1.3' || socket.alpnProtocol !== ALPN) throw misspoke('it does not speak HTTP/1.1 over TLS 1.3');
  const certificate = socket.getPeerX509Certificate();
  if (!certificate) throw misspoke('it sent no certificate');
  return {
    spki: certificate.publicKey.export({ type: 'spki', format: 'der' }),
    nonce: randomBytes(32),
    exporter: socket.exportKeyingMaterial(EXPORTER_LENGTH, EXPORTER, Buffer.alloc(0)),
    agreement: AGREEMENTS[socket.getEphemeralKeyInfo()?.name],
  };
}

/** HTTP on this one connection, and never on another. */
export class Only extends http.Agent {
  #socket;

  constructor(socket) {
    super({ keepAlive: true, maxSockets: 1, maxFreeSockets: 1 });
    this.#socket = socket;
  }

  createConnection(_options, done) {
    const socket = this.#socket;
    this.#socket = null;
    // The agent asks for another when the one has ended: not a byte of the request was sent.
    if (socket && !socket.destroyed) return socket;
    done(new Untrusted('connection_closed', 'the connection was closed before the request was sent'));
    return undefined;
  }
}
