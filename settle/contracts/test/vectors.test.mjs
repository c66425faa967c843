import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { beginCell, Cell } from '@ton/core';
import { table } from '../gas.mjs';
import { code, exit } from '../purse.mjs';
import { file, script, text } from '../steps.mjs';
import { read, vectors } from '../vectors.mjs';

const spec = readFileSync(new URL('../../../docs/spec/settle.md', import.meta.url), 'utf8');
const kept = read();

test('vectors.json is what this client makes', () => {
  assert.deepEqual(kept, vectors(), 'if the contract changed on purpose: npm run vectors, npm run steps, and the quotes in docs/spec/settle.md');
});

test('a statement, encoded by hand, is the cell that @ton/core makes of it', () => {
  for (const { cap, receipt } of [kept.statements_of_network, kept.statements]) {
    for (const { bytes, digest } of [cap, receipt]) {
      const cell = beginCell().storeBuffer(Buffer.from(bytes, 'hex')).endCell();
      assert.deepEqual([cell.bits.length, cell.refs.length], [664, 0]);
      assert.equal(cell.hash().toString('hex'), digest);
    }
  }
});

test('the statements are those of docs/spec/receipt.md', () => {
  const { cap, receipt } = kept.statements_of_network;
  assert.equal(cap.digest, 'f7b71ceb62f786f4dc7ffa90270ba8a8a24c88ef4fe549384c2a2c5b637cfdbe');
  assert.equal(receipt.digest, '71ac1e2821bacfe190bc5ce41626536a3ef75a5f2414dcd04e12f47209c05e25');
  assert.match(cap.signature, /^f9e7253ba964d2a6.*98df6903$/);
  assert.match(receipt.signature, /^d41c7e175c811d94.*cbd090d902$/);
});

test('every BOC has the hash beside it', () => {
  const seen = JSON.stringify(kept, (_, value) => {
    if (value?.boc) assert.equal(Cell.fromHex(value.boc).hash().toString('hex'), value.hash);
    return value;
  });
  assert.ok(seen.length > 0);
});

test('the specification quotes the vectors and the code', () => {
  assert.equal(code.hash().toString('hex'), readFileSync(new URL('../purse.hash', import.meta.url), 'utf8').trim());
  const flat = spec.replace(/\s+/g, '');
  const quoted = [kept.code_hash, kept.purse, kept.data.boc, kept.orders.lock.order.hash, kept.orders.lock.body.boc, kept.claim.body.boc,
    kept.messages.deploy.hash, kept.statements_of_network.cap.bytes, kept.statements_of_network.cap.digest, kept.statements_of_network.receipt.digest];
  for (const value of quoted) assert.ok(flat.includes(value), value);
});

test('the specification has the gas and the fees of every step', async () => {
  const lines = spec.split('\n').filter((line) => line.startsWith('|'));
  for (const { name, gas, nano } of await table()) {
    const [used, paid] = [gas, nano].map((number) => String(number).replace(/\B(?=(\d{3})+$)/g, ','));
    assert.ok(lines.some((line) => line.includes(used) && line.includes(paid)), `${name}: ${used}, ${paid}`);
  }
});

test('the specification has every exit code', () => {
  for (const [name, value] of Object.entries(exit)) assert.match(spec, new RegExp(`^\\| ${value} \\| \`${name}\` \\|`, 'm'), name);
});

test('steps.json is what the script does', async () => {
  const again = await script();
  assert.ok(again.steps.length >= 40);
  assert.equal(readFileSync(file, 'utf8'), text(again), 'if the contract changed on purpose: npm run steps');
  const codes = new Set(again.steps.map((step) => step.exit));
  for (const [name, value] of Object.entries(exit)) {
    if (!['WRONG_NETWORK', 'LANES_FULL', 'TABS_FULL', 'TOO_DEEP', 'NOT_GENUINE', 'NO_FEES'].includes(name)) assert.ok(codes.has(value), name);
  }
});
