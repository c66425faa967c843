// What WebAssembly of this package needs to run, whichever module it is.

/** There is no verdict: what was handed over cannot be asked about, or this browser cannot run the verifier. The message is a sentence. */
export class NoVerdict extends Error {
  name = 'NoVerdict';
}

const TOO_OLD = 'this browser cannot run the verifier, which needs WebAssembly as browsers have had it since 2022: use a newer one, or `chrysalis verify`';

/** A module from its bytes. */
export function compiled(bytes) {
  if (typeof WebAssembly !== 'object' || !WebAssembly.validate(bytes)) throw new NoVerdict(TOO_OLD);
  return new WebAssembly.Module(bytes);
}

/** The bytes of a file of this package. */
export async function packaged(url) {
  if (url.protocol === 'file:') {
    const { readFile } = await import(/* webpackIgnore: true */ /* @vite-ignore */ 'node:fs/promises');
    return readFile(url);
  }
  const response = await fetch(url);
  if (!response.ok) throw new NoVerdict(`the verifier cannot be loaded: ${url} answers ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}
