// The package says what the command line says, byte for byte: over every vector, over evidence of real machines, and of files made to
// break programs.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { asked, committed, map, real, root, seconds, told } from './questions.mjs';

const npm = process.env.CHRYSALIS_NPM ?? join(root, 'build/npm');
const { NoVerdict, ask, verify, recognise } = await import(join(npm, 'index.js'));
// Of the instance that is there: what it has taken so far.
const memory = async () => (await import(join(npm, 'chrysalis_browser.js'))).initSync().memory.buffer.byteLength;

// The command line draws such a nonce itself when it asks NVIDIA, and saves no session with such a bundle.
const WITHOUT_WORDS = ['nvidia/ocsp-nonce-mismatch', 'bundle/bundle-too-large'];

async function inTurns(questions, each) {
  const left = [...questions];
  const count = left.length;
  const work = async () => { for (let next = left.pop(); next; next = left.pop()) await each(next); };
  await Promise.all([work(), work()]);
  return count;
}

async function said(question) {
  try {
    return await ask(question.kind, asked(question), seconds(question.at));
  } catch (error) {
    assert.ok(error instanceof NoVerdict, `${question.name}: ${error.stack}`);
    assert.ok(error.message.length > 10 && !/unreachable|panick/.test(error.message), `${question.name}: ${error.message}`);
    return error;
  }
}

// Both have a verdict, and it is the same; or neither has.
async function compare(question) {
  const [ours, theirs] = [await said(question), await told(question)];
  if (theirs.code === 2) {
    assert.ok(ours instanceof NoVerdict, `${question.name}: the command line has no verdict (${theirs.stderr}), and the package says ${ours}`);
    return;
  }
  assert.ok(!(ours instanceof NoVerdict), `${question.name}: ${ours.message}; ${theirs.line}`);
  assert.equal(`${ours}\n`, theirs.stdout, question.name);
}

test('every vector', async () => {
  const count = await inTurns(committed(), async (question) => {
    if (!WITHOUT_WORDS.includes(question.name)) await compare(question);
    const ours = await said(question);
    if (ours instanceof NoVerdict) return assert.match(ours.message, /more than \d+ bytes/, question.name);
    const { verdict, code } = JSON.parse(ours);
    assert.deepEqual({ verdict, code }, { verdict: question.expected.verdict, code: question.expected.code }, question.name);
  });
  console.log(`vectors: ${count}`);
  assert.ok(count > 300);
});

test('evidence of real machines', async () => {
  const verdicts = {};
  const count = await inTurns(real(), async (question) => {
    await compare(question);
    const ours = await said(question);
    const word = ours instanceof NoVerdict ? 'none' : JSON.parse(ours).verdict;
    verdicts[word] = (verdicts[word] ?? 0) + 1;
  });
  console.log(`real evidence: ${count}, ${JSON.stringify(verdicts)}`);
  assert.ok(count > 40 && verdicts.genuine > 5);
});

test('receipts', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'chrysalis-receipts-'));
  const bundle = [...committed()].find((it) => it.name === 'bundle/snp-h100');
  const [spki, evidence] = [Buffer.from(bundle.words.spki[0], 'hex'), join(folder, 'evidence')];
  // As the proxy keeps it beside its receipts.
  writeFileSync(evidence, map([['spki', spki], ['bundle', readFileSync(bundle.files.bundle[0])]]));
  const kept = JSON.parse(readFileSync(join(root, 'tests/vectors/settle/kept.json')));
  const questions = kept.files.map(({ name, file }) => {
    const receipt = join(folder, name.replace(/\W/g, '-'));
    writeFileSync(receipt, Buffer.from(file, 'hex'));
    return { name: `receipt ${name}`, kind: 'receipt', at: bundle.at, files: { receipt: [receipt], evidence: [evidence], policy: bundle.files.policy }, words: {} };
  });
  const codes = new Set();
  const count = await inTurns(questions, async (question) => {
    await compare(question);
    codes.add(JSON.parse(await said(question)).code);
  });
  console.log(`receipts: ${count}, ${[...codes].join(' ')}`);
  assert.ok(count > 5 && codes.size > 1);
});

const MIB = 1024 * 1024;
const HOSTILE = {
  empty: Buffer.alloc(0),
  zeros: Buffer.alloc(MIB),
  ones: Buffer.alloc(MIB, 0xff),
  'too-long': Buffer.alloc(4 * MIB + 1, 0x20),
  brackets: Buffer.alloc(MIB, '['),
  'json-deep': Buffer.from(`${'{"evidences":'.repeat(60_000)}`),
  'json-wide': Buffer.from(`[${'{"evidence":"","certificate":""},'.repeat(20_000)}{}]`),
  'cbor-deep': Buffer.alloc(MIB, 0x81),
  'cbor-map': Buffer.concat([Buffer.from('bbffffffffffffffff', 'hex'), Buffer.alloc(1000)]),
  'cbor-cpu': Buffer.concat([Buffer.from('a163637075', 'hex'), Buffer.alloc(MIB - 100, 0x81)]),
  'session-long': Buffer.concat([Buffer.from('a46473706b695affffffff', 'hex'), Buffer.alloc(1000)]),
  'der-deep': Buffer.concat([Buffer.from('30820fff', 'hex'), Buffer.alloc(8000, 0x30)]),
  'pem-many': Buffer.from('-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n'.repeat(16_000)),
  'pem-open': Buffer.from(`-----BEGIN CERTIFICATE-----\n${'A'.repeat(900_000)}`),
  'xml-deep': Buffer.from('<a>'.repeat(300_000)),
  'xml-laughs': Buffer.from('<!DOCTYPE l [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><SoftwareIdentity>&b;</SoftwareIdentity>'),
  'toml-deep': Buffer.from(`version = 1\n${'a.'.repeat(60_000)}a = 1\n`),
  'toml-many': Buffer.from(`version = 1\n${Array.from({ length: 20_000 }, (_, at) => `k${at} = 1`).join('\n')}\n`),
  hex: Buffer.alloc(MIB, '0'),
  base64: Buffer.from(Buffer.alloc(700_000, 0x81).toString('base64')),
};
const PLACES = {
  bundle: ['bundle', 'policy', 'statement'],
  snp: ['report', 'cert', 'crl', 'policy', 'statement', 'tpm_quote'],
  tdx: ['quote', 'collateral', 'event_log', 'hcl_report', 'policy', 'statement'],
  nvidia: ['report', 'chain', 'switches', 'rim', 'ocsp', 'policy'],
  receipt: ['receipt', 'policy', 'evidence'],
};

test('files made to break programs', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'chrysalis-hostile-'));
  const good = {};
  for (const question of committed()) if (question.expected.verdict !== 'rejected') good[question.kind] ??= question;
  const questions = [];
  for (const [name, bytes] of Object.entries(HOSTILE)) {
    const file = join(folder, name);
    writeFileSync(file, bytes);
    for (const [kind, places] of Object.entries(PLACES)) {
      for (const place of places) {
        const like = good[kind] ?? { files: { receipt: [file], policy: good.bundle.files.policy }, words: {}, at: good.bundle.at };
        const files = { ...like.files };
        if (place === 'bundle') delete files.certificate;
        questions.push({ ...like, name: `${name} as ${place} of ${kind}`, kind, files: { ...files, [place]: [file] } });
      }
    }
    await recognise(bytes);
  }
  const count = await inTurns(questions, compare);
  // Still there, still right, and no larger than a page can afford.
  const question = good.snp;
  assert.equal(JSON.parse(await ask('snp', asked(question), seconds(question.at))).verdict, question.expected.verdict);
  const taken = await memory();
  console.log(`hostile: ${count}, ${(taken / MIB).toFixed(0)} MiB of memory`);
  assert.ok(taken < 192 * MIB);
});

test('what cannot be asked is a sentence', async () => {
  for (const [work, message] of [
    [() => verify(new Uint8Array(3)), /this is no evidence/],
    [() => verify(new Uint8Array(3), 'version = 2'), /^the policy cannot be used/],
    [() => ask('snp', {}), /without `report`/],
    [() => ask('sgx', {}), /there is no question `sgx`/],
    [() => ask('snp', { raport: 'x' }), /no question has a word `raport`/],
    [() => ask('snp', { report: new Uint8Array(5 * MIB) }), /report has more than \d+ bytes/],
    [() => ask('snp', { report: 'x', without: ['signature'] }), /nothing goes without `signature` here/],
    [() => ask('snp', { report: 'x' }, 'tomorrow'), /`now` is a Date, or Unix seconds/],
    [() => ask('nvidia', { report: 'x', chain: 'y', nonce: 'zz' }), /write nonce as 64 hex digits|write nonce as hex digits/],
  ]) {
    await assert.rejects(work, (error) => error instanceof NoVerdict && message.test(error.message) || assert.fail(`${message}: ${error}`));
  }
});
