// Random operations, honest and forged, and a model that says of each one what must come of it. PURSE_OPS counts them, PURSE_SEED starts them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { beginCell, Cell } from '@ton/core';
import { account, internal } from '../chain.mjs';
import { action, exit, keyPair, nano, tabKey } from '../purse.mjs';
import { home, left, open } from './world.mjs';

const OPS = Number(process.env.PURSE_OPS ?? 2_000), SEED = Number(process.env.PURSE_SEED ?? 1), LENGTH = 100;
const spends = [10, 11, 12].map(keyPair), enclaves = [20, 21, 22].map(keyPair), thief = keyPair(0x66);
const payees = [account(0xa0), account(0xa1), account(0xa2, -1)];
const [RENT, BOUND] = [nano(0.05), 24_000_000n];

// mulberry32
function dice(seed) {
  const next = () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  const below = (count) => next() % count;
  return { below, oneIn: (count) => below(count) === 0, of: (list) => list[below(list.length)] };
}

class Model {
  constructor() {
    Object.assign(this, { seqno: 0, nextLane: 0, lanes: new Map(), rent: 0n });
  }

  get owed() {
    return [...this.lanes.values()].reduce((sum, { locked, paid }) => sum + locked - paid, 0n);
  }

  equals(storage) {
    const { seqno, nextLane, laneCount, tabCount, owed, lanes } = storage, tabs = [...this.lanes.values()].reduce((sum, lane) => sum + lane.tabs.size, 0);
    assert.deepEqual([seqno, nextLane, laneCount, tabCount, owed], [this.seqno, this.nextLane, this.lanes.size, tabs, this.owed]);
    assert.deepEqual([...lanes.keys()].sort(), [...this.lanes.keys()].sort());
    for (const [id, lane] of this.lanes) {
      const { payee, spendKey, tabs, ...rest } = lanes.get(id);
      assert.ok(payee.equals(lane.payee));
      assert.deepEqual(spendKey, lane.spend.publicKey);
      assert.deepEqual(rest, { locked: lane.locked, paid: lane.paid, closeDelay: lane.closeDelay, closesAt: lane.closesAt, tabCount: lane.tabs.size });
      assert.deepEqual(new Map([...tabs].map(([key, value]) => [key.toString('hex'), value])), lane.tabs);
    }
  }
}

async function run(roll, length) {
  const world = await open(4), model = new Model();
  const now = () => world.chain.now, lean = roll.oneIn(2);
  const someLane = () => (model.lanes.size && !roll.oneIn(12) ? roll.of([...model.lanes.keys()]) : roll.below(100));

  // Of an honest order: the code it must be refused with (or one of two near an edge of money), what it changes, and what leaves.
  const orders = {
    lock() {
      const made = { payee: roll.of(payees), spend: roll.of(spends), closeDelay: roll.oneIn(8) ? 10 : 3600 + roll.below(7200) };
      const amount = nano(0.02) + BigInt(roll.below(800_000_000));
      const apply = () => {
        const id = Math.max(model.nextLane, now());
        model.nextLane = id + 1;
        model.lanes.set(id, { ...made, locked: amount, paid: 0n, closesAt: 0, tabs: new Map() });
      };
      return { what: action.lock({ ...made, amount }), needs: amount + RENT, short: exit.NOT_FREE, code: made.closeDelay < 3600 ? exit.BAD_DELAY : 0, apply };
    },
    add() {
      const id = someLane(), lane = model.lanes.get(id), amount = BigInt(roll.below(300_000_000));
      const terms = { payee: lane?.payee ?? payees[0], spend: lane?.spend ?? spends[0], closeDelay: lane?.closeDelay ?? 3600 };
      const other = roll.oneIn(4) ? roll.of([{ payee: home }, { spend: thief }, { closeDelay: 3599 }]) : {};
      const code = !lane ? exit.NO_LANE : lane.closesAt ? exit.CLOSING : Object.keys(other).length ? exit.OTHER_TERMS : 0;
      const what = action.lock({ lane: id, ...terms, ...other, amount });
      if (id === 0) return orders.lock();
      return { what, needs: amount + RENT, short: exit.NOT_FREE, code, apply: () => { lane.locked += amount; } };
    },
    startClose() {
      const id = someLane(), lane = model.lanes.get(id);
      const closesAt = now() + (lane?.closeDelay ?? 0);
      const notice = beginCell().storeUint(0x4c434c31, 32).storeUint(id, 32).storeUint(closesAt, 32).endCell();
      const code = !lane ? exit.NO_LANE : lane.closesAt ? exit.CLOSING : 0;
      const message = lane?.payee.workChain === -1 ? 10_000_000n : 400_000n;
      return { what: action.startClose(id), needs: message + 1n, short: exit.NO_FEES, code, apply: () => { lane.closesAt = closesAt; }, out: [lane?.payee, 1n, notice] };
    },
    free() {
      const id = someLane(), lane = model.lanes.get(id);
      const code = !lane ? exit.NO_LANE : !lane.closesAt || now() < lane.closesAt ? exit.TOO_EARLY : 0;
      const needs = code ? 0n : lane.paid - lane.locked;
      return { what: action.free(id), needs, short: exit.NO_FEES, code, late: true, apply: () => model.lanes.delete(id) };
    },
    withdraw() {
      // half the time as good as all that is free
      const all = world.balance() - model.owed - BOUND - RENT - 3_000_000n;
      const amount = roll.oneIn(2) && all > 0n ? all : BigInt(roll.below(900_000_000));
      return { what: action.withdraw(amount), needs: amount + RENT + 400_000n, short: exit.NOT_FREE, code: 0, apply() {}, out: [home, amount, Cell.EMPTY] };
    },
  };

  const forgeries = [
    [exit.OTHER_PURSE, { purse: Buffer.alloc(32, 1) }],
    [exit.WRONG_SEQNO, () => ({ seqno: model.seqno + 1 + roll.below(3) })],
    [exit.EXPIRED, () => ({ until: now() - roll.below(2) })],
    [exit.BAD_SIGNATURE, { key: thief }],
    [exit.BAD_SIGNATURE, { key: spends[0] }],
  ];

  const unchanged = (before, result) => {
    assert.equal(result.taken, false);
    assert.equal(world.bytes(), before);
  };

  async function order() {
    const { what, needs, short, code, apply, out } = roll.of([orders.lock, orders.lock, orders.add, orders.startClose, orders.startClose, orders.free, orders.withdraw])();
    const before = world.bytes(), had = world.balance();
    world.seqno = model.seqno;
    if (roll.oneIn(5)) {
      const [refusal, how] = roll.of(forgeries);
      const result = await world.order(what, { ...(typeof how === 'function' ? how() : how), init: model.seqno === 0 ? world.purse.init : null });
      world.seqno = model.seqno;
      assert.equal(result.exit, refusal);
      return unchanged(before, result);
    }
    const result = await world.order(what);
    // rent and the message's own fee come off before the contract looks
    const slack = had - model.owed - BOUND - needs;
    const poor = slack < 0n, near = slack >= 0n && slack < 20_000_000n;
    if (!result.taken) {
      assert.ok([code, ...(poor || near ? [short] : [])].includes(result.exit) && result.exit !== 0, `${result.exit}, ${code}, ${slack}`);
      return unchanged(before, result);
    }
    assert.deepEqual([result.exit, code, poor, result.action, result.skipped], [0, 0, false, 0, 0]);
    model.seqno += 1;
    model.rent += result.rent;
    apply();
    assert.deepEqual(result.out.map(({ dest, value, body }) => [dest.toString(), value, body.toString()]), out ? [[out[0].toString(), out[1], out[2].toString()]] : []);
  }

  async function claim() {
    const id = someLane(), lane = model.lanes.get(id), enclave = roll.of(enclaves), branch = roll.below(2);
    const key = tabKey(enclave.publicKey, branch).toString('hex'), had = lane?.tabs.get(key) ?? 0n;
    const [cap, cumulative] = [had + BigInt(roll.below(400_000_000)), had + BigInt(roll.below(500_000_000))];
    const good = { lane: id, branch, enclave, spend: lane?.spend ?? spends[0], cap, cumulative };
    const forged = roll.oneIn(3);
    let body = world.purse.claim({ ...good, ...(forged ? roll.of([{ spend: thief }, { spend: enclave }, { receiptSignature: Buffer.alloc(64) }, {}]) : {}) });
    if (forged && body.equals(world.purse.claim(good))) body = flipped(roll, body);
    const inside = roll.oneIn(4), given = nano(0.05), before = world.bytes(), balance = world.balance();
    const result = inside ? await world.chain.send(internal(world.address, given, body)) : await world.outside(body);
    const due = lane ? [cumulative - had, cap - had, lane.locked - lane.paid].reduce((a, b) => (a < b ? a : b)) : 0n;
    const floor = 2n * (12_000_000n + (inside ? 0n : 1_217_600n) + (lane?.payee.workChain === -1 ? 10_000_000n : 400_000n));
    const honest = Boolean( !forged && lane && due >= floor);
    assert.equal(result.exit === 0, honest, `${result.exit}`);
    if (!honest) {
      if (!forged) assert.equal(result.exit, lane ? exit.TOO_LITTLE : exit.NO_LANE);
      if (!inside) return unchanged(before, result);
      model.rent += result.rent;
      assert.deepEqual(result.out.map(({ bounced }) => bounced), [true]);
      return assert.ok(result.balance + result.rent >= balance);
    }
    model.rent += result.rent;
    lane.tabs.set(key, had + due);
    lane.paid += due;
    assert.deepEqual([result.action, result.skipped, result.out.length], [0, 0, 1]);
    const [{ dest, value }] = result.out;
    assert.ok(dest.equals(lane.payee));
    assert.ok(value > 0n && value < due + (inside ? given : 0n));
    const kept = result.balance + result.rent + due - balance;
    assert.ok(kept >= 0n && kept < 400_000n, `${kept}`);
  }

  async function stranger() {
    const bits = roll.below(1000), words = beginCell();
    for (let at = 0; at < bits; at++) words.storeBit(roll.below(2));
    const body = words.endCell(), { data } = world.chain.state(world.address), before = world.bytes(), balance = world.balance();
    if (roll.oneIn(2)) return unchanged(before, await world.outside(body));
    const result = await world.chain.send(internal(world.address, BigInt(roll.below(20_000_000)), body, { bounce: roll.oneIn(2) }));
    model.rent += result.rent;
    assert.ok(data === undefined || world.chain.state(world.address).data.equals(data));
    assert.ok(result.out.every(({ bounced }) => bounced));
    assert.ok(result.balance + result.rent >= balance);
  }

  for (let at = 0; at < length; at++) {
    world.chain.now += roll.oneIn(15) ? 7_200 : roll.below(1_000);
    // years pass, and the rent is taken with the next message; before it eats into what is owed, someone pays in
    const years = roll.oneIn(40);
    if (years) world.chain.now += 365 * 86_400;
    if (years || (!lean && roll.oneIn(8))) model.rent += (await world.give(years ? 0.001 : roll.below(600) / 1_000)).rent;
    if (lean && model.seqno > 2 && roll.oneIn(4)) left(world, model.owed + nano(0.01) + BigInt(roll.below(40_000_000)));
    if (world.balance() < model.owed + nano(0.01)) await world.give(lean ? 0.5 : 0.05);
    const kind = model.seqno === 0 ? order : roll.of([order, order, claim, claim, claim, stranger]);
    await kind();
    if (model.seqno === 0) continue;
    model.equals(world.storage());
    assert.ok(world.balance() + model.rent >= model.owed);
  }
  return model.seqno;
}

// One bit of a body, or of a cell under it, is another.
function flipped(roll, body) {
  const at = roll.below(body.refs.length + 1);
  if (at > 0) {
    const refs = body.refs.map((cell, index) => (index === at - 1 ? flipped(roll, cell) : cell));
    return refs.reduce((into, cell) => into.storeRef(cell), beginCell().storeBits(body.bits)).endCell();
  }
  const to = beginCell(), bit = roll.below(body.bits.length);
  for (let index = 0; index < body.bits.length; index++) to.storeBit(body.bits.at(index) !== (index === bit));
  return body.refs.reduce((into, cell) => into.storeRef(cell), to).endCell();
}

test(`${OPS} random operations do what the model says`, async () => {
  let taken = 0;
  for (let script = 0; script * LENGTH < OPS; script++) taken += await run(dice(SEED * 1_000_003 + script), Math.min(LENGTH, OPS - script * LENGTH));
  assert.ok(taken > OPS / 20, `${taken} orders taken`);
});
