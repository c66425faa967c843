// Faults that drafts of this contract had, or that were looked for: each test is named for what it keeps from happening.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { beginCell, Cell } from '@ton/core';
import { external, internal } from '../chain.mjs';
import { action, digest, exit, nano, sign, statement } from '../purse.mjs';
import { enclave, HOURS_6, left, open, opened, payee, spend, stranger } from './world.mjs';

test('1: whoever brings a claim does not walk off with what else lies in the purse', async () => {
  const { world, lane } = await opened({ coins: 10 });
  const before = world.balance();
  const { out, balance } = await world.give(0.05, world.claimBody(lane, 0.3, 0.1), { bounce: true });
  assert.equal(out.length, 1);
  assert.ok(out[0].dest.equals(payee) && out[0].value < nano(0.15));
  assert.ok(balance >= before - nano(0.1));
});

test('2: a purse that was deleted and opened again pays no receipt from before', async () => {
  const { world, lane } = await opened();
  const old = world.claimBody(lane, 0.3, 0.1);
  assert.equal((await world.outside(old)).exit, 0);
  world.chain.accounts.delete(world.address.toRawString());
  world.seqno = 0;
  world.chain.now += 400 * 86_400;
  await world.give(3);
  const again = await world.lock(1);
  assert.ok(again > lane);
  assert.equal((await world.outside(old)).exit, exit.NO_LANE);
  // nor when it locks in the second in which the old one would have
  assert.notEqual(again, lane);
});

test('3: a claim smaller than its fees is refused before it costs anything, however often it comes', async () => {
  const { world, lane } = await opened();
  const before = world.bytes();
  for (const cumulative of [0.000001, 0.005, 0.02, 0.027]) {
    for (let time = 0; time < 3; time++) {
      const { taken, exit: code } = await world.claim(lane, 1, cumulative);
      assert.deepEqual([taken, code], [false, exit.TOO_LITTLE]);
    }
  }
  assert.equal(world.bytes(), before);
});

test('4: no order changes the keys, the payee or the delay of a lane', async () => {
  const { world, lane } = await opened();
  const before = world.lane(lane);
  await world.order(action.lock({ lane, payee, amount: nano(0.1), spend: stranger }));
  await world.order(action.lock({ lane, payee: world.address, amount: nano(0.1), spend }));
  await world.order(action.lock({ lane, payee, amount: nano(0.1), spend }));
  await world.order(action.startClose(lane));
  const after = world.lane(lane);
  assert.ok(after.payee.equals(before.payee));
  assert.deepEqual([after.spendKey, after.closeDelay, after.locked], [before.spendKey, before.closeDelay, nano(1.1)]);
  assert.equal((await world.claim(lane, 1, 0.1)).exit, 0);
});

test('5: an owner cannot burn in orders what is owed', async () => {
  const { world, lane } = await opened();
  left(world, nano(1) + 24_000_000n);
  const before = world.bytes();
  const orders = [[action.withdraw(0n), exit.NOT_FREE], [action.lock({ payee, amount: 0n, spend }), exit.NOT_FREE],
    [action.lock({ lane, payee, amount: 0n, spend }), exit.NOT_FREE], [action.startClose(lane), exit.NO_FEES], [action.free(lane), exit.TOO_EARLY]];
  for (const [what, code] of orders) {
    for (let time = 0; time < 3; time++) assert.equal((await world.order(what)).exit, code);
  }
  assert.equal(world.bytes(), before);
});

test('5: what an order sets free may pay for it', async () => {
  const { world, lane } = await opened();
  await world.order(action.startClose(lane));
  world.chain.now += HOURS_6;
  left(world, nano(1));
  assert.equal((await world.order(action.free(lane))).exit, 0);
});

test('5: an order that closes leaves what is owed, down to the last nano that it may be paid from', async () => {
  const { world, lane } = await opened();
  const body = (what) => world.purse.signed(world.purse.order(what, { seqno: world.seqno, until: world.chain.now + 60 }));
  const edge = async (what, send) => {
    let low = nano(1), high = nano(1.2);
    while (high - low > 1n) {
      const middle = (low + high) / 2n;
      left(world, middle);
      const data = world.bytes();
      const { taken } = await send(what);
      world.chain.accounts.set(world.address.toRawString(), data);
      if (taken) high = middle; else low = middle;
    }
    left(world, high);
    return send(what);
  };
  const close = await edge(action.startClose(lane), (what) => world.outside(body(what)));
  assert.deepEqual([close.exit, close.skipped, close.out.length], [0, 0, 1]);
  assert.ok(close.balance >= nano(1), `${close.balance}`);
  // it needs its own fees twice over and the notice, and no more
  assert.ok(close.balance <= nano(1.022), `${close.balance}`);
});

test('5: the owner who frees one lane does not spend another one of it', async () => {
  const { world, lane } = await opened();
  const other = await world.lock(0.5);
  await world.claim(lane, 1, 1);
  await world.order(action.startClose(lane));
  world.chain.now += HOURS_6;
  left(world, nano(0.5) + 24_000_000n);
  assert.equal((await world.order(action.free(lane))).exit, exit.NO_FEES);
  assert.equal(world.lane(other).locked, nano(0.5));
});

test('6: a cap whose signature is garbage is worth nothing, old or new', async () => {
  const { world, lane } = await opened();
  assert.equal((await world.claim(lane, 0.3, 0.1)).exit, 0);
  const before = world.bytes();
  for (const cap of [0.05, 0.1, 0.2, 0.3, 0.9]) {
    for (const capSignature of [Buffer.alloc(64), Buffer.alloc(64, 0xff), sign(Buffer.alloc(32), spend.secretKey)]) {
      const { taken, exit: code } = await world.claim(lane, cap, 0.9, { capSignature });
      assert.equal(taken, false);
      assert.ok(code === exit.BAD_SIGNATURE || code === exit.TOO_LITTLE);
    }
  }
  assert.equal((await world.claim(lane, 0.9, 0.9, { capSignature: Buffer.alloc(64) })).exit, exit.BAD_SIGNATURE);
  assert.equal(world.bytes(), before);
});

test('a tab never falls: an older receipt after a newer one takes nothing back and pays nothing', async () => {
  const { world, lane } = await opened();
  await world.claim(lane, 0.9, 0.5);
  const before = world.bytes();
  assert.equal((await world.claim(lane, 0.9, 0.1)).exit, exit.TOO_LITTLE);
  assert.equal((await world.claim(lane, 0.1, 0.9)).exit, exit.TOO_LITTLE);
  assert.equal(world.bytes(), before);
  assert.equal((await world.claim(lane, 0.9, 0.6)).exit, 0);
  assert.equal(world.lane(lane).paid, nano(0.6));
});

test('an order of a purse is nothing to the purse of the same owner beside it', async () => {
  const { world } = await opened();
  const { world: beside } = await opened({ salt: 8n });
  const order = world.purse.signed(world.purse.order(action.withdraw(nano(0.1)), { seqno: 1, until: world.chain.now + 60 }));
  assert.equal((await beside.outside(order)).exit, exit.OTHER_PURSE);
  assert.equal((await world.outside(order)).exit, 0);
});

test('a claim of a purse is nothing to the purse of the same owner beside it', async () => {
  const { world, lane } = await opened();
  const { world: beside } = await opened({ salt: 8n });
  const body = world.claimBody(lane, 0.3, 0.1);
  assert.equal((await beside.outside(body)).exit, exit.BAD_SIGNATURE);
  assert.equal((await beside.give(0.1, body, { bounce: true })).exit, exit.BAD_SIGNATURE);
});

test('the owner signs no claim and the spend key no order', async () => {
  const { world, lane } = await opened();
  const cap = statement('CAP1', world.purse.id, lane, 0, nano(0.3), enclave.publicKey);
  assert.equal((await world.claim(lane, 0.3, 0.1, { capSignature: sign(digest(cap), world.purse.owner.secretKey) })).exit, exit.BAD_SIGNATURE);
  for (const key of [spend, enclave]) assert.equal((await world.order(action.withdraw(1n), { key })).exit, exit.BAD_SIGNATURE);
});

test('nothing that a stranger sends deploys, moves or spends', async () => {
  const world = await open(3);
  assert.equal((await world.order(action.withdraw(1n), { key: stranger })).exit, exit.BAD_SIGNATURE);
  assert.equal(world.chain.state(world.address).type, 'uninit');
  assert.equal(world.balance(), nano(3));
  const junk = beginCell().storeBuffer(Buffer.alloc(100, 5)).endCell();
  for (const body of [junk, Cell.EMPTY, world.claimBody(1, 1, 1)]) {
    assert.equal((await world.chain.send(external(world.address, body, world.purse.init))).taken, false);
  }
  assert.equal(world.chain.state(world.address).type, 'uninit');
});

test('a purse in debt for its rent takes the claim that a message of its own pays for', async () => {
  const { world, lane } = await opened({ coins: 1.2 });
  left(world, 1n);
  assert.equal((await world.claim(lane, 1, 0.5)).taken, false);
  const result = await world.chain.send(internal(world.address, nano(0.05), world.claimBody(lane, 1, 0.5)));
  assert.deepEqual([result.exit, result.out[0].bounced], [exit.TOO_LITTLE, true]);
});
