import assert from 'node:assert/strict';
import { test } from 'node:test';
import { beginCell, Cell, Dictionary } from '@ton/core';
import { internal } from '../chain.mjs';
import { action, exit, nano, op } from '../purse.mjs';
import { open, opened, payee, spend, World } from './world.mjs';

const comment = (text) => beginCell().storeUint(0, 32).storeBuffer(Buffer.from(text)).endCell();

test('money comes in by a plain transfer, with a comment or without, and changes nothing else', async () => {
  const { world } = await opened();
  for (const body of [Cell.EMPTY, comment(''), comment('for October')]) {
    for (const bounce of [true, false]) {
      const [{ data }, before] = [world.chain.state(world.address), world.balance()];
      const result = await world.give(0.5, body, { bounce });
      assert.deepEqual([result.exit, result.out], [0, []]);
      assert.ok(world.chain.state(world.address).data.equals(data));
      assert.ok(world.balance() - before > nano(0.499));
    }
  }
  assert.equal((await world.give(0, Cell.EMPTY, { bounce: true })).exit, 'no-gas');
});

test('any other message goes back to its sender', async () => {
  const { world } = await opened();
  const order = world.purse.signed(world.purse.order(action.withdraw(nano(0.1)), { seqno: 1, until: world.chain.now + 60 }));
  const bodies = [order, beginCell().storeUint(0xd53276db, 32).storeUint(1, 64).endCell(), beginCell().storeUint(0, 31).endCell(),
    beginCell().storeUint(1, 1).endCell(), beginCell().storeRef(Cell.EMPTY).endCell(), beginCell().storeUint(op.laneCloses, 32).storeUint(0, 64).endCell()];
  for (const body of bodies) {
    const [{ data }, before] = [world.chain.state(world.address), world.balance()];
    const result = await world.give(0.5, body, { bounce: true });
    assert.deepEqual([result.exit, result.out.length, result.out[0].bounced], [exit.UNKNOWN_OP, 1, true]);
    assert.ok(world.chain.state(world.address).data.equals(data));
    assert.equal(world.balance(), before);
  }
});

test('what bounces back to the purse is money, whatever it says', async () => {
  const { world, lane } = await opened();
  for (const body of [world.claimBody(lane, 0.3, 0.1), beginCell().storeUint(0xffffffff, 32).storeUint(op.claim, 32).endCell(), beginCell().storeUint(1, 1).endCell()]) {
    const { data } = world.chain.state(world.address);
    const result = await world.chain.send(internal(world.address, nano(0.1), body, { bounced: true, bounce: false }));
    assert.deepEqual([result.exit, result.out], [0, []]);
    assert.ok(world.chain.state(world.address).data.equals(data));
  }
});

test('anyone may deploy a purse, and it is its owner that it obeys', async () => {
  const world = new World();
  const { exit: code } = await world.give(3, Cell.EMPTY, { init: world.purse.init });
  assert.equal(code, 0);
  assert.equal(world.chain.state(world.address).type, 'active');
  const lane = await world.lock(1);
  assert.equal((await world.claim(lane, 0.3, 0.1)).exit, 0);
});

test('no order deploys a purse whose keys are others', async () => {
  const world = await open(3);
  const other = new World({ salt: 8n });
  assert.equal((await world.order(action.lock({ payee, amount: nano(1), spend }), { init: other.purse.init })).taken, false);
  assert.equal(world.chain.state(world.address).type, 'uninit');
});

test('other currencies on the account neither stop a claim nor leave with it', async () => {
  const { world, lane } = await opened();
  const other = Dictionary.empty(Dictionary.Keys.Uint(32), Dictionary.Values.BigVarUint(5));
  for (const id of [1, 2, 3, 4]) other.set(id, 1_000n);
  await world.give(0.1, Cell.EMPTY, { other, bounce: false });
  const { exit: code, skipped, out } = await world.claim(lane, 0.3, 0.1);
  assert.deepEqual([code, skipped, out.length], [0, 0, 1]);
  assert.equal(out[0].other?.size ?? 0, 0);
  const { skipped: none, out: [home] } = await world.order(action.withdraw(nano(0.5)));
  assert.deepEqual([none, home.value, home.other?.size ?? 0], [0, nano(0.5), 0]);
});
