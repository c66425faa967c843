import assert from 'node:assert/strict';
import { test } from 'node:test';
import { beginCell, Cell } from '@ton/core';
import { account, internal, START } from '../chain.mjs';
import { action, digest, exit, nano, op, sign, statement } from '../purse.mjs';
import { enclave, enclave2, HOURS_6, left, masterchain, opened, payee, spend, stranger } from './world.mjs';

const refused = async (world, code, result) => {
  const before = world.bytes();
  const { taken, exit: found } = await result();
  assert.deepEqual({ taken, found }, { taken: false, found: code });
  assert.equal(world.bytes(), before);
};

// What one claim moves: the purse pays `due` and not a nano more; the payee bears every fee.
async function settled(world, due, send, to = payee) {
  const before = world.balance(), given = send.given ?? 0n;
  const result = await send();
  assert.deepEqual([result.taken, result.exit, result.action, result.skipped, result.out.length], [true, 0, 0, 0, 1]);
  const [{ dest, value, body, bounce }] = result.out;
  assert.ok(dest.equals(to) && !bounce);
  assert.equal(body.bits.length + body.refs.length, 0);
  const kept = result.balance - (before - result.rent - nano(due));
  assert.ok(kept >= 0n && kept < 400_000n, `the purse kept ${kept}`);
  assert.ok(value > nano(due) + given - result.forward - 6_300_000n && value < nano(due) + given, `${value}`);
  return result;
}

test('a claim pays what the receipt says, once', async () => {
  const { world, lane } = await opened();
  const body = world.claimBody(lane, 0.3, 0.1);
  await settled(world, 0.1, () => world.outside(body));
  const { paid, tabCount, tabs } = world.lane(lane);
  assert.deepEqual([paid, tabCount, tabs.size, world.storage().owed], [nano(0.1), 1, 1, nano(0.9)]);
  assert.equal(tabs.get(Buffer.concat([enclave.publicKey, Buffer.alloc(2)])), nano(0.1));
  await refused(world, exit.TOO_LITTLE, () => world.outside(body));
  await settled(world, 0.05, () => world.claim(lane, 0.3, 0.15));
  await refused(world, exit.TOO_LITTLE, () => world.claim(lane, 0.3, 0.12));
  assert.deepEqual([world.lane(lane).paid, world.lane(lane).tabCount], [nano(0.15), 1]);
});

test('a claim pays no more than the cap, the lane, or what is there', async () => {
  const { world, lane } = await opened();
  await settled(world, 0.3, () => world.claim(lane, 0.3, 0.9));
  await refused(world, exit.TOO_LITTLE, () => world.claim(lane, 0.3, 2));
  await settled(world, 0.7, () => world.claim(lane, 9, 9));
  await refused(world, exit.TOO_LITTLE, () => world.claim(lane, 9, 9));
  assert.equal(world.storage().owed, 0n);
  await world.order(action.lock({ lane, payee, amount: nano(0.2), spend }));
  await settled(world, 0.2, () => world.claim(lane, 9, 9));

  // rent has eaten into what is owed
  const { world: poor, lane: of } = await opened();
  left(poor, nano(0.4));
  const before = poor.balance();
  const { exit: code, out, balance } = await poor.claim(of, 1, 1);
  assert.deepEqual([code, out.length], [0, 1]);
  assert.ok(out[0].value > nano(0.39) && balance < 1_300_000n);
  assert.ok(poor.lane(of).paid < before && poor.lane(of).paid > nano(0.39));
});

test('each branch and each enclave has a tab of its own', async () => {
  const { world, lane } = await opened();
  await settled(world, 0.1, () => world.claim(lane, 0.1, 0.1));
  await settled(world, 0.1, () => world.claim(lane, 0.1, 0.1, { branch: 1 }));
  await settled(world, 0.1, () => world.claim(lane, 0.1, 0.1, { branch: 65_535 }));
  await settled(world, 0.1, () => world.claim(lane, 0.1, 0.1, { enclave: enclave2 }));
  const other = await world.lock(0.5);
  await settled(world, 0.1, () => world.claim(other, 0.1, 0.1));
  assert.deepEqual([world.lane(lane).tabCount, world.lane(other).tabCount, world.lane(lane).paid], [4, 1, nano(0.4)]);
});

test('every field of both statements is signed', async () => {
  const { world, lane } = await opened();
  const other = await world.lock(0.5);
  const good = { lane, branch: 0, cap: nano(0.3), cumulative: nano(0.2), enclave, spend, head: Buffer.alloc(32, 9) };
  const by = (key, tag, purse, amount, last, of = good) => sign(digest(statement(tag, purse, of.lane, of.branch, amount, last)), key.secretKey);
  const { id } = world.purse;
  const signed = { capSignature: by(spend, 'CAP1', id, good.cap, enclave.publicKey), receiptSignature: by(enclave, 'RCP1', id, good.cumulative, good.head) };
  const tried = (code, changes) => refused(world, code, () => world.outside(world.purse.claim({ ...good, ...signed, ...changes })));
  await tried(exit.BAD_SIGNATURE, { lane: other });
  await tried(exit.BAD_SIGNATURE, { branch: 1 });
  await tried(exit.BAD_SIGNATURE, { enclave: enclave2 });
  await tried(exit.BAD_SIGNATURE, { cap: nano(0.4) });
  await tried(exit.BAD_SIGNATURE, { capSignature: by(stranger, 'CAP1', id, good.cap, enclave.publicKey) });
  await tried(exit.BAD_SIGNATURE, { capSignature: by(spend, 'RCP1', id, good.cap, enclave.publicKey) });
  await tried(exit.BAD_SIGNATURE, { capSignature: by(spend, 'CAP1', Buffer.alloc(32, 1), good.cap, enclave.publicKey) });
  await tried(exit.BAD_SIGNATURE, { capSignature: Buffer.alloc(64) });
  await tried(exit.BAD_RECEIPT, { cumulative: nano(0.3) });
  await tried(exit.BAD_RECEIPT, { head: Buffer.alloc(32, 8) });
  await tried(exit.BAD_RECEIPT, { receiptSignature: by(stranger, 'RCP1', id, good.cumulative, good.head) });
  await tried(exit.BAD_RECEIPT, { receiptSignature: by(enclave, 'CAP1', id, good.cumulative, good.head) });
  await tried(exit.BAD_RECEIPT, { receiptSignature: by(enclave, 'RCP1', Buffer.alloc(32, 1), good.cumulative, good.head) });
  await tried(exit.BAD_RECEIPT, { receiptSignature: by(enclave, 'RCP1', id, good.cumulative, good.head, { ...good, branch: 1 }) });
  await tried(exit.BAD_RECEIPT, { receiptSignature: by(enclave, 'RCP1', id, good.cumulative, good.head, { ...good, lane: other }) });
  await tried(exit.NO_LANE, { lane: 99 });
  await tried(exit.NO_LANE, { lane: 0 });
  assert.equal((await world.outside(world.purse.claim({ ...good, ...signed }))).exit, 0);
});

test('a lane can be claimed from until it is freed, and not after', async () => {
  const { world, lane } = await opened();
  await world.order(action.startClose(lane));
  await settled(world, 0.1, () => world.claim(lane, 1, 0.1));
  world.chain.now = START + HOURS_6 + 1;
  await settled(world, 0.1, () => world.claim(lane, 1, 0.2));
  await world.order(action.free(lane));
  await refused(world, exit.NO_LANE, () => world.claim(lane, 1, 0.9));
});

test('bytes that are not exactly a claim are refused', async () => {
  const { world, lane } = await opened();
  const good = world.claimBody(lane, 0.3, 0.1), [cap, receipt] = good.refs;
  const bits = () => beginCell().storeBits(good.bits);
  const cases = [
    bits().storeBit(0).storeRef(cap).storeRef(receipt).endCell(),
    bits().storeRef(cap).storeRef(receipt).storeRef(Cell.EMPTY).endCell(),
    bits().storeRef(cap.asBuilder().storeBit(1).endCell()).storeRef(receipt).endCell(),
    bits().storeRef(cap).storeRef(receipt.asBuilder().storeBit(1).endCell()).endCell(),
    bits().storeRef(cap.asBuilder().storeRef(Cell.EMPTY).endCell()).storeRef(receipt).endCell(),
    bits().storeRef(cap).storeRef(receipt.asBuilder().storeRef(Cell.EMPTY).endCell()).endCell(),
    bits().storeRef(beginCell().storeBits(cap.bits.substring(0, 511)).endCell()).storeRef(receipt).endCell(),
    bits().storeRef(cap).endCell(),
    beginCell().storeBits(good.bits.substring(0, 719)).storeRef(cap).storeRef(receipt).endCell(),
  ];
  for (const body of cases) {
    await refused(world, exit.MALFORMED, () => world.outside(body));
    const before = world.storage();
    const inside = await world.give(0.1, body, { bounce: true });
    assert.deepEqual([inside.exit, inside.out[0].bounced], [exit.MALFORMED, true]);
    assert.deepEqual(world.storage().owed, before.owed);
  }
  assert.equal((await world.outside(good)).exit, 0);
});

test('the floor is twice what a claim may cost, to the nano', async () => {
  for (const [to, floor] of [[payee, 27_235_200n], [masterchain, 46_435_200n]]) {
    const { world, lane } = await opened({ lock: { payee: to } });
    assert.equal((await world.chain.get(world.address, 'lane', lane)).stack[7], floor);
    const of = (cumulative) => world.purse.claim({ lane, enclave, spend, cap: nano(1), cumulative });
    await refused(world, exit.TOO_LITTLE, () => world.outside(of(floor - 1n)));
    await settled(world, Number(floor) / 1e9, () => world.outside(of(floor)), to);
    // an internal message has paid for being brought in
    const inside = floor + floor - 2n * 1_217_600n;
    const give = (cumulative) => world.give(0.05, of(cumulative), { bounce: true });
    assert.equal((await give(inside - 1n)).exit, exit.TOO_LITTLE);
    assert.equal((await give(inside)).exit, 0);
  }
});

test('anyone may bring a claim in an internal message, and the payee has the rest of its value', async () => {
  const { world, lane } = await opened();
  const body = world.claimBody(lane, 0.3, 0.1);
  const send = () => world.give(0.05, body, { bounce: true });
  send.given = nano(0.05);
  await settled(world, 0.1, send);
  const before = world.bytes();
  const again = await send();
  assert.deepEqual([again.exit, again.out.length, again.out[0].bounced], [exit.TOO_LITTLE, 1, true]);
  assert.ok(again.out[0].dest.equals(account(0xee)));
  const { balance } = world.chain.state(world.address);
  world.chain.accounts.set(world.address.toRawString(), before);
  assert.equal(balance, world.balance());
});

test('a claim in an internal message without gas changes nothing and costs the purse nothing', async () => {
  const { world, lane } = await opened();
  for (const bounce of [true, false]) {
    for (const coins of [0, 0.00001, 0.0005, 0.002, 0.004]) {
      const before = [world.balance(), world.storage().owed];
      const result = await world.give(coins, world.claimBody(lane, 0.3, 0.1), { bounce });
      assert.ok(result.exit === -14 || result.exit === 'no-gas', `${result.exit}`);
      assert.ok(world.balance() >= before[0]);
      assert.equal(world.storage().owed, before[1]);
      assert.ok(result.out.every(({ bounced }) => bounced));
    }
  }
});

test('a claim takes the same wherever its body lies in the message', async () => {
  for (const inline of [true, false]) {
    const { world, lane } = await opened();
    const body = world.claimBody(lane, 0.3, 0.1);
    const message = { info: { type: 'external-in', dest: world.address, importFee: 0n }, body };
    const head = beginCell().storeUint(8, 4).storeAddress(world.address).storeCoins(0).storeBit(0);
    const cell = inline ? head.storeBit(0).storeSlice(body.beginParse()).endCell() : head.storeBit(1).storeRef(body).endCell();
    await settled(world, 0.1, () => world.chain.send(message, cell));
  }
});

test('a claim comes without a StateInit, which would cost the purse', async () => {
  const { world, lane } = await opened();
  await refused(world, exit.STRAY_STATE_INIT, () => world.outside(world.claimBody(lane, 0.3, 0.1), world.purse.init));
  const junk = { code: Cell.EMPTY, data: beginCell().storeBuffer(Buffer.alloc(100, 7)).endCell() };
  const before = world.bytes();
  assert.equal((await world.outside(world.claimBody(lane, 0.3, 0.1), junk)).taken, false);
  assert.equal(world.bytes(), before);
});

test('an opcode alone is nothing', async () => {
  const { world } = await opened();
  await refused(world, exit.MALFORMED, () => world.outside(beginCell().storeUint(op.claim, 32).endCell()));
  assert.equal((await world.chain.send(internal(world.address, nano(0.1), beginCell().storeUint(op.claim, 32).endCell()))).exit, exit.MALFORMED);
});
