// The page's own reading of reports, prices and the log, in Node: against the vectors that other implementations agree on.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { base, coins, concentration, decode, follows, grew, index, prices, priceOf, readCheckpoint, unhex, verify } from '../../network/directory/ledger/ledger.js';
import { Log, encode, size } from './fixtures.mjs';

const vectors = JSON.parse(readFileSync(new URL('../vectors/settle/prices.json', import.meta.url)));

test('every vector of a price comes out the same, bit for bit', () => {
  const rates = vectors.rates.map(BigInt);
  for (const { floor, x, base: wanted, prices: all } of vectors.epochs) {
    const report = { floor: BigInt(floor), x: BigInt(x), rates };
    const made = (make) => { try { return make(); } catch (error) { assert.equal(error.code, 'amount_overflow'); return null; } };
    assert.equal(made(() => `${base(report.floor, report.x)}`), wanted);
    assert.equal(made(() => `${prices(report)}`), all && `${all}`);
  }
});

test('every vector of a report is refused by its code, or follows', async () => {
  for (const { name, before, report, code } of vectors.reports) {
    let found = null;
    try { follows(await verify(unhex(report)), before && await verify(unhex(before))); } catch (error) { found = error.code; }
    assert.equal(found, code, name);
  }
});

test('a value has one encoding', () => {
  for (const text of ['00', '1818', '1903e8', '3863', '4100', '6161', '820102', 'a2616101616202', '1b0000000100000000', '3bffffffffffffffff']) {
    decode(unhex(text));
  }
  for (const text of ['', '18', '1817', '190017', '1a000003e8', '1b00000000ffffffff', '5f4100ff', '9fff', 'a2616101616101', 'a2616201616101', '0101', 'f5', 'f6', 'fa00000000', 'c001', '61ff', 'a10101', '9b7fffffffffffffff', '1c', '81'.repeat(99)]) {
    assert.throws(() => decode(unhex(text)), { code: 'report_malformed' }, text);
  }
  const value = { b: 1n, aa: [0n, 23n, 24n, 255n, 256n, 65_536n, 2n ** 32n, 2n ** 64n - 1n, -1n], c: new Uint8Array(300), d: 'é' };
  assert.deepEqual(Object.fromEntries(decode(new Uint8Array(encode(value)))).aa, value.aa);
});

test('the index is the median over capacity', () => {
  assert.equal(index([]), null);
  assert.equal(index([[7n, 0n]]), null);
  assert.equal(index([[30n, 10n], [10n, 10n], [20n, 10n]]), 20n);
  const many = [[10n, 100n], ...Array(99).fill([1000n, 1n])];
  assert.equal(index(many), 10n);
  assert.equal(index([...many, [1000n, 1n], [1000n, 1n]]), 1000n);
  assert.deepEqual(concentration([['a', 3n], ['b', 1n], ['a', 4n]]), { largest_share: 875, hhi: 7812 });
  assert.deepEqual(concentration([]), { largest_share: 0, hhi: 0 });
  assert.equal(priceOf('chat', [10n, 1n, 30n, 5n]), 30n);
  assert.equal(priceOf('embedding', [10n, 1n, 30n, 5n]), 10n);
  assert.equal(priceOf('speech', [10n, 1n, 30n, 5n]), 5n);
});

test('coins are rounded to what can be read', () => {
  assert.deepEqual([0n, 1n, 999n, 1000n, 17_912_345n, 43_535_857_359n].map(coins), ['0.000000', '0.000000001', '0.000000999', '0.000001', '0.017912', '43.535857']);
});

test('a log is followed from every head to every later one, and from no other', async () => {
  const log = new Log('log.example', 'log'), notes = [];
  for (let at = 0; at < 20; at += 1) {
    log.add(...Array.from({ length: 1 + (at % 3) }, (_, which) => Buffer.from(`${at} ${which}`)));
    notes.push(log.note());
  }
  const growth = async (from) => log.growth(Number(from)) ?? assert.fail('no proof');
  const heads = await Promise.all(notes.map((note) => readCheckpoint(note, log.public)));
  for (const [from, seen] of heads.entries()) {
    for (const head of heads.slice(from)) {
      assert.equal((await grew(seen, head, log.public, growth)).size, head.size);
      if (head === seen) continue;
      const other = { ...seen, root: Buffer.alloc(32, 7).toString('base64') };
      await assert.rejects(grew(other, head, log.public, growth), { code: 'log_forked' });
      await assert.rejects(grew(head, seen, log.public, growth), { code: 'log_shrunk' });
      await assert.rejects(grew(seen, head, log.public, async () => assert.fail()), { code: 'log_growth_missing' });
    }
  }
  assert.equal((await grew(heads[0], heads[19], log.public, growth, 3)).size, heads[3].size);
  const another = new Log('log.example', 'another');
  await assert.rejects(readCheckpoint(notes[3], another.public), { code: 'checkpoint_unsigned' });
  const flipped = notes[3].replace(/^(.*\n)(\d)/, (_, origin, digit) => `${origin}${(Number(digit) + 1) % 10}`);
  await assert.rejects(readCheckpoint(flipped, log.public), (error) => /^checkpoint_/.test(error.code));
});

test('the page has 60 KB at most', () => {
  console.log(`page: ${size()} bytes`);
  assert.ok(size() <= 60 * 1024);
});
