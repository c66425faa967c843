import assert from 'node:assert/strict';
import { test } from 'node:test';
import { beginCell } from '@ton/core';
import { account, START } from '../chain.mjs';
import { action, exit, nano, op, Purse } from '../purse.mjs';
import { enclave, home, HOURS_6, masterchain, open, opened, owner, payee, spend, stranger, World } from './world.mjs';

const refused = async (world, code, result) => {
  const before = world.bytes();
  const { taken, exit: found } = await result();
  assert.deepEqual({ taken, found }, { taken: false, found: code });
  assert.equal(world.bytes(), before);
};

test('the first order deploys the purse and locks', async () => {
  const world = await open(3);
  assert.equal(world.chain.state(world.address).type, 'uninit');
  const result = await world.order(action.lock({ payee, amount: nano(1), spend }));
  assert.deepEqual([result.exit, result.action, result.out], [0, 0, []]);
  const { seqno, nextLane, laneCount, owed, lanes } = world.storage();
  assert.deepEqual([seqno, nextLane, laneCount, owed], [1, START + 1, 1, nano(1)]);
  const { tabs, payee: to, ...rest } = lanes.get(START);
  assert.ok(to.equals(payee));
  assert.equal(tabs.size, 0);
  assert.deepEqual(rest, { spendKey: spend.publicKey, locked: nano(1), paid: 0n, closeDelay: HOURS_6, closesAt: 0, tabCount: 0 });
});

test('two lanes of one second have different numbers', async () => {
  const { world, lane } = await opened();
  assert.equal(await world.lock(0.1), lane + 1);
  world.chain.now += 1;
  assert.equal(await world.lock(0.1), lane + 2);
  world.chain.now += 60;
  assert.equal(await world.lock(0.1), lane + 61);
  assert.equal(world.storage().laneCount, 4);
});

test('money is added to an open lane under its own terms', async () => {
  const { world, lane } = await opened();
  const more = { lane, payee, amount: nano(0.25), spend };
  assert.equal((await world.order(action.lock(more))).exit, 0);
  assert.deepEqual([world.lane(lane).locked, world.storage().owed, world.storage().laneCount], [nano(1.25), nano(1.25), 1]);
  await refused(world, exit.OTHER_TERMS, () => world.order(action.lock({ ...more, payee: home })));
  await refused(world, exit.OTHER_TERMS, () => world.order(action.lock({ ...more, spend: stranger })));
  await refused(world, exit.OTHER_TERMS, () => world.order(action.lock({ ...more, closeDelay: 3600 })));
  await refused(world, exit.NO_LANE, () => world.order(action.lock({ ...more, lane: lane + 1 })));
  await world.order(action.startClose(lane));
  await refused(world, exit.CLOSING, () => world.order(action.lock(more)));
});

test('a lane closes after its delay, its payee is told, and what is left is free', async () => {
  const { world, lane } = await opened();
  await refused(world, exit.NO_LANE, () => world.order(action.startClose(lane + 1)));
  await refused(world, exit.TOO_EARLY, () => world.order(action.free(lane)));
  const { exit: code, out } = await world.order(action.startClose(lane));
  assert.equal(code, 0);
  const closesAt = START + HOURS_6;
  const notice = beginCell().storeUint(0x4c434c31, 32).storeUint(lane, 32).storeUint(closesAt, 32).endCell();
  assert.equal(out.length, 1);
  assert.ok(out[0].dest.equals(payee) && out[0].body.equals(notice));
  assert.deepEqual([out[0].value, out[0].bounce], [1n, false]);
  assert.equal(world.lane(lane).closesAt, closesAt);
  await refused(world, exit.CLOSING, () => world.order(action.startClose(lane)));
  world.chain.now = closesAt - 1;
  await refused(world, exit.TOO_EARLY, () => world.order(action.free(lane)));
  world.chain.now = closesAt;
  const { exit: freed, out: none } = await world.order(action.free(lane));
  assert.deepEqual([freed, none], [0, []]);
  assert.deepEqual([world.storage().owed, world.storage().laneCount, world.storage().lanes.size], [0n, 0, 0]);
  await refused(world, exit.NO_LANE, () => world.order(action.free(lane)));
});

test('free leaves the other lanes as they are', async () => {
  const { world, lane } = await opened();
  const other = await world.lock(0.5);
  await world.claim(other, 0.2, 0.2);
  for (const branch of [0, 1]) await world.claim(lane, 0.2, 0.1, { branch });
  await world.order(action.startClose(lane));
  world.chain.now += HOURS_6;
  assert.equal(world.storage().tabCount, 3);
  await world.order(action.free(lane));
  assert.deepEqual([world.storage().owed, world.storage().laneCount, world.storage().tabCount], [nano(0.3), 1, 1]);
  assert.equal(world.lane(other).paid, nano(0.2));
});

test('what is free goes home, whole, and no more than is free', async () => {
  const { world } = await opened();
  const out = await world.order(action.withdraw(nano(1.5)));
  assert.deepEqual([out.exit, out.skipped, out.out.length], [0, 0, 1]);
  assert.ok(out.out[0].dest.equals(home));
  assert.deepEqual([out.out[0].value, out.out[0].bounce, out.out[0].body.bits.length], [nano(1.5), false, 0]);
  await refused(world, exit.NOT_FREE, () => world.order(action.withdraw(nano(0.45))));
  await refused(world, exit.NOT_FREE, () => world.order(action.lock({ payee, amount: nano(0.45), spend })));
});

// The last nano that can be withdrawn or locked: what stays is what is owed, 0.05 for rent and twice the price of the bound.
test('the edge of what is free', async () => {
  for (const [what, message] of [[action.withdraw, 400_000n], [(amount) => action.lock({ payee, amount, spend }), 0n]]) {
    const { world } = await opened();
    const { stack } = await world.chain.get(world.address, 'purse');
    const [free, before] = [stack[5], world.bytes()];
    const cost = await world.order(what(1n));
    const imported = cost.fees - cost.gasFees - (message * 21_845n) / 65_536n;
    world.chain.accounts.set(world.address.toRawString(), before);
    world.seqno -= 1;
    await refused(world, exit.NOT_FREE, () => world.order(what(free - imported - message + 1n)));
    const taken = await world.order(what(free - imported - message));
    assert.deepEqual([taken.exit, taken.skipped], [0, 0]);
    assert.ok(taken.balance > world.storage().owed + nano(0.05));
  }
});

test('a lane for a payee in the masterchain, and in no other workchain', async () => {
  const { world } = await opened();
  const lane = await world.lock(0.5, { payee: masterchain });
  assert.equal((await world.claim(lane, 0.1, 0.1)).out[0].dest.workChain, -1);
  const { out } = await world.order(action.startClose(lane));
  assert.equal(out[0].dest.workChain, -1);
  for (const workchain of [1, -2, 127]) {
    await refused(world, exit.BAD_ADDRESS, () => world.order(action.lock({ payee: account(7, workchain), amount: nano(0.1), spend })));
  }
  await refused(world, exit.MALFORMED, () => world.order(action.lock({ payee: null, amount: nano(0.1), spend })));
});

test('nothing goes to a home that no workchain has', async () => {
  const { world } = await opened({ home: account(7, 5) });
  await refused(world, exit.BAD_ADDRESS, () => world.order(action.withdraw(nano(0.1))));
});

test('a close delay is an hour to a week', async () => {
  const { world } = await opened();
  for (const closeDelay of [3599, 604_801, 0, 2 ** 32 - 1]) {
    await refused(world, exit.BAD_DELAY, () => world.order(action.lock({ payee, amount: nano(0.1), spend, closeDelay })));
  }
  await world.lock(0.1, { closeDelay: 3600 });
  await world.lock(0.1, { closeDelay: 604_800 });
});

test('an order is for one purse, one number, a time, and its owner signs it', async () => {
  const { world } = await opened();
  const what = action.withdraw(nano(0.1));
  await refused(world, exit.OTHER_PURSE, () => world.order(what, { purse: Buffer.alloc(32, 1) }));
  await refused(world, exit.WRONG_SEQNO, () => world.order(what, { seqno: 2 }));
  await refused(world, exit.STRAY_STATE_INIT, () => world.order(what, { init: world.purse.init }));
  await refused(world, exit.EXPIRED, () => world.order(what, { until: START }));
  await refused(world, exit.BAD_SIGNATURE, () => world.order(what, { key: stranger }));
  const body = world.purse.signed(world.purse.order(what, { seqno: 1, until: START + 60 }));
  assert.equal((await world.outside(body)).exit, 0);
  await refused(world, exit.WRONG_SEQNO, () => world.outside(body));
});

test('an order of seqno 0 is not taken twice', async () => {
  const { world } = await opened();
  await refused(world, exit.STRAY_STATE_INIT, () => world.order(action.withdraw(1n), { seqno: 0 }));
  const body = world.purse.signed(world.purse.order(action.withdraw(1n), { seqno: 0, until: START + 60 }));
  await refused(world, exit.WRONG_SEQNO, () => world.outside(body));
});

test('a purse obeys and locks on the network of its keys alone', async () => {
  const world = await open(3, { network: -3 });
  await refused(world, exit.WRONG_NETWORK, () => world.order(action.lock({ payee, amount: nano(1), spend })));
});

// The same keys give the same number in the masterchain, so the owner's orders would be good in both.
test('a purse in the masterchain obeys nobody and pays nobody', async () => {
  const world = await open(3, { workchain: -1 });
  await refused(world, exit.OTHER_PURSE, () => world.order(action.lock({ payee, amount: nano(1), spend })));
  const { world: basechain, lane } = await opened();
  world.chain.put(world.address, { balance: nano(3), init: { code: world.purse.init.code, data: basechain.chain.state(basechain.address).data } });
  await refused(world, exit.OTHER_PURSE, () => world.claim(lane, 0.1, 0.1));
});

test('bytes that are not exactly an order are refused', async () => {
  const { world } = await opened();
  const good = world.purse.order(action.withdraw(nano(0.1)), { seqno: 1, until: START + 60 });
  const longer = beginCell().storeBuilder(good.asBuilder());
  const signature = (cell) => world.purse.signed(cell).asBuilder();
  const cases = [
    world.purse.signed(longer.storeBit(0).endCell()),
    world.purse.signed(good.asBuilder().storeRef(beginCell().endCell()).endCell()),
    world.purse.signed(world.purse.order(beginCell().storeUint(4, 8).storeUint(1, 63), { seqno: 1, until: START + 60 })),
    signature(good).storeBit(1).endCell(),
    signature(good).storeRef(beginCell().endCell()).endCell(),
    beginCell().storeUint(op.owner, 32).storeRef(good).endCell(),
    beginCell().storeUint(op.owner, 31).endCell(),
    beginCell().endCell(),
  ];
  for (const body of cases) await refused(world, exit.MALFORMED, () => world.outside(body));
  for (const number of [0, 5, 255]) {
    await refused(world, exit.UNKNOWN_OP, () => world.order(beginCell().storeUint(number, 8).storeUint(1, 64)));
  }
  for (const word of [0, 0x4f574e32, 0xffffffff]) {
    await refused(world, exit.UNKNOWN_OP, () => world.outside(beginCell().storeUint(word, 32).storeUint(0, 512).storeRef(good).endCell()));
  }
});

test('get-methods say what is stored', async () => {
  const { world, lane } = await opened();
  await world.claim(lane, 0.3, 0.1);
  const purse = (await world.chain.get(world.address, 'purse')).stack;
  const free = world.balance() - nano(0.9) - nano(0.05) - 2n * 30_000n * 400n;
  assert.deepEqual(purse.slice(0, 6), [1n, BigInt(lane + 1), 1n, 1n, nano(0.9), free]);
  assert.deepEqual([purse[6], purse[8], purse[9]], [BigInt('0x' + owner.publicKey.toString('hex')), -239n, 7n]);
  assert.ok(purse[7].equals(home));
  const [to, key, ...rest] = (await world.chain.get(world.address, 'lane', lane)).stack;
  assert.ok(to.equals(payee));
  assert.equal(key, BigInt('0x' + spend.publicKey.toString('hex')));
  assert.deepEqual(rest, [nano(1), nano(0.1), BigInt(HOURS_6), 0n, 1n, 27_235_200n]);
  const tab = (...of) => world.chain.get(world.address, 'tab', ...of);
  const ofEnclave = BigInt('0x' + enclave.publicKey.toString('hex'));
  assert.deepEqual((await tab(lane, ofEnclave, 0)).stack, [nano(0.1)]);
  assert.deepEqual((await tab(lane, ofEnclave, 1)).stack, [0n]);
  assert.equal((await tab(lane + 1, ofEnclave, 0)).exit, exit.NO_LANE);
});

test('get-methods refuse an account that did not begin as an empty purse', async () => {
  const { world, lane } = await opened();
  const { data } = world.chain.state(world.address);
  const doctored = new World();
  doctored.purse = Object.assign(Object.create(Purse.prototype), world.purse);
  doctored.address = account(0x77);
  doctored.chain.put(doctored.address, { balance: nano(3), init: { code: world.purse.init.code, data } });
  for (const [method, ...of] of [['purse'], ['lane', lane], ['tab', lane, 1, 0]]) {
    assert.equal((await doctored.chain.get(doctored.address, method, ...of)).exit, exit.NOT_GENUINE);
  }
});
