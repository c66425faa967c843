// What a verification costs in WebAssembly, compared with its signatures alone: `node bench.mjs` prints medians in Node and in Chromium.
// The counts are those of tests/bench/src/floor.rs.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, constants as zlib, gzipSync } from 'node:zlib';
import { asked, committed, root, seconds } from './questions.mjs';

const npm = join(root, 'build/npm');
const wasm = readFileSync(join(npm, 'chrysalis_browser_bg.wasm'));
const questions = [...committed()];
const chosen = {
  SNP: [questions.find((it) => it.kind === 'snp' && it.expected.verdict === 'trusted' && !it.files.tpm_quote), { p384: 1, rsa: 3 }],
  'SNP + GPU': [questions.find((it) => it.name === 'bundle/snp-h100'), { p384: 23, rsa: 3 }],
};
// A good signature of each kind: Node makes the P-384 one, and the RSA one, with an exponent of 65537 as AMD's.
const { generateKeyPairSync, sign, constants } = await import('node:crypto');
const message = Buffer.alloc(0x2a0, 0x5a);
const ec = generateKeyPairSync('ec', { namedCurve: 'P-384' });
const rsa = generateKeyPairSync('rsa', { modulusLength: 4096 });
const point = ec.publicKey.export({ type: 'spki', format: 'der' }).subarray(-97);
const modulus = Buffer.from(rsa.publicKey.export({ format: 'jwk' }).n, 'base64url');
const signatures = {
  message: [...message],
  p384: { key: [...point], signature: [...sign('sha384', message, { key: ec.privateKey, dsaEncoding: 'ieee-p1363' })] },
  rsa: { key: [...modulus], signature: [...sign('sha384', message, { key: rsa.privateKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 48 })] },
};

// Runs in Node and in the page alike. The least of several is what the work takes; the rest is what else the machine did.
async function measure({ glue, work, signatures, rounds }) {
  const least = (times, each) => {
    let best = Infinity;
    for (let round = 0; round < times; round += 1) {
      const from = performance.now();
      if (!each()) throw new Error('a good signature is refused');
      best = Math.min(best, performance.now() - from);
    }
    return best;
  };
  const message = new Uint8Array(signatures.message);
  const bytes = (list) => new Uint8Array(list);
  const p384 = least(rounds * 4, () => glue.ecdsa_p384(bytes(signatures.p384.key), message, bytes(signatures.p384.signature)));
  const rsa = least(rounds * 4, () => glue.rsa_pss(bytes(signatures.rsa.key), message, bytes(signatures.rsa.signature)));
  const found = { 'P-384': p384, 'RSA-4096': rsa };
  for (const [name, { kind, files, words, now, verdict }] of Object.entries(work)) {
    found[name] = least(rounds, () => {
      const request = new glue.Request();
      for (const [file, all] of Object.entries(files)) for (const one of all) request.file(file, bytes(one));
      for (const [word, all] of Object.entries(words)) for (const one of all) request.word(word, one);
      return JSON.parse(request.verdict(kind, now)).verdict === verdict;
    });
  }
  return found;
}

const work = {};
for (const [name, [question]] of Object.entries(chosen)) {
  const files = {};
  for (const [file, all] of Object.entries(asked({ ...question, words: {} }))) files[file] = all.map((one) => [...one]);
  work[name] = { kind: question.kind, files, words: question.words, now: seconds(question.at), verdict: question.expected.verdict };
}

function print(where, found) {
  console.log(`${where}: a P-384 signature ${found['P-384'].toFixed(2)} ms, an RSA-4096 signature ${found['RSA-4096'].toFixed(2)} ms`);
  const most = { SNP: 30, 'SNP + GPU': 250 };
  for (const [name, [, count]] of Object.entries(chosen)) {
    const floor = count.p384 * found['P-384'] + count.rsa * found['RSA-4096'];
    console.log(`  ${name}: ${found[name].toFixed(1)} ms, ${(found[name] / floor).toFixed(2)} of its floor of ${floor.toFixed(1)} ms (${count.p384} P-384, ${count.rsa} RSA-4096), ${(found[name] / most[name]).toFixed(2)} of the ${most[name]} ms that it may take`);
  }
}

const sizes = { 'the verifier': [wasm, 600_000], 'what seals': [readFileSync(join(npm, 'chrysalis_ohttp_browser_bg.wasm')), 60_000] };
for (const [name, [module, most]] of Object.entries(sizes)) {
  const brotli = brotliCompressSync(module, { params: { [zlib.BROTLI_PARAM_QUALITY]: 11, [zlib.BROTLI_PARAM_LGWIN]: 24 } }).length;
  console.log(`${name}: ${module.length} bytes; ${brotli} by brotli, ${(brotli / most).toFixed(2)} of the ${most / 1000} KB that it may have; ${gzipSync(module, { level: 9 }).length} by gzip`);
}
const glue = await import(join(npm, 'chrysalis_browser.js'));
glue.initSync({ module: new WebAssembly.Module(wasm) });
const rounds = Number(process.env.ROUNDS ?? 50);
print('Node', await measure({ glue, work, signatures, rounds }));

const { launch } = await import('../ledger/browser.mjs');
const browser = await launch();
const page = await browser.newPage();
const source = `${readFileSync(join(npm, 'chrysalis_browser.js'), 'utf8')}`;
await page.route('http://bench.invalid/**', (route) => {
  const name = new URL(route.request().url()).pathname;
  if (name === '/') return route.fulfill({ contentType: 'text/html', body: '<!doctype html><title>bench</title>' });
  if (name === '/glue.js') return route.fulfill({ contentType: 'text/javascript', body: source });
  return route.fulfill({ contentType: 'application/wasm', body: wasm });
});
await page.goto('http://bench.invalid/');
const found = await page.evaluate(async ([measure, work, signatures, rounds]) => {
  const glue = await import('/glue.js');
  glue.initSync({ module: new WebAssembly.Module(await (await fetch('/module.wasm')).arrayBuffer()) });
  return (0, eval)(`(${measure})`)({ glue, work, signatures, rounds });
}, [measure.toString(), work, signatures, rounds]);
print(`Chromium ${browser.version()}`, found);
await browser.close();
