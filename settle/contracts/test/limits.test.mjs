import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configWith } from '../chain.mjs';
import { filled } from '../full.mjs';
import { fillDeep, table } from '../gas.mjs';
import { action, exit, nano, storageCell } from '../purse.mjs';
import { HOURS_6, left, masterchain, opened, payee, spend } from './world.mjs';

const BOUND = 30_000;

async function full(of, coins = 400) {
  const { world, lane } = await opened({ coins });
  left(world, nano(coins), filled(world.storage(), lane, of));
  return { world, lane };
}

test('every step stays under the bound, at 256 lanes and the 1,024th tab', async () => {
  const rows = await table();
  for (const { name, gas } of rows) assert.ok(gas <= BOUND, `${name}: ${gas}`);
  const of = (name) => rows.find((row) => row.name === name);
  assert.ok(of('claim, 1 lane, new tab').gas <= 11_000);
  assert.ok(of('claim, 1 lane, new tab').nano <= 6_500_000n);
});

test('a claim is accepted on credit, however full the purse is', async () => {
  const { world, lane } = await full({ lanes: 256, tabs: 1023 });
  world.chain.config = configWith({ credit: 8_000n });
  assert.equal((await world.claim(lane, 0.1, 0.1)).exit, 0);
});

test('256 lanes, and a 257th once one is gone', async () => {
  const { world, lane } = await full({ lanes: 255, tabs: 0 });
  const fresh = action.lock({ payee, amount: nano(0.1), spend });
  assert.equal((await world.order(fresh)).exit, 0);
  assert.deepEqual([world.storage().laneCount, world.storage().lanes.size], [256, 256]);
  const before = world.bytes();
  assert.deepEqual([(await world.order(fresh)).exit, world.bytes()], [exit.LANES_FULL, before]);
  assert.equal((await world.order(action.lock({ lane, payee, amount: nano(0.1), spend }))).exit, 0);
  await world.order(action.startClose(lane));
  world.chain.now += HOURS_6;
  await world.order(action.free(lane));
  assert.equal((await world.order(fresh)).exit, 0);
  assert.deepEqual([world.storage().laneCount, world.storage().lanes.size], [256, 256]);
});

test('1,024 tabs of a lane, which go on being paid when there can be no more', async () => {
  const { world, lane } = await full({ lanes: 2, tabs: 1022 });
  assert.equal((await world.claim(lane, 0.1, 0.1)).exit, 0);
  assert.equal((await world.claim(lane, 0.1, 0.1, { branch: 1 })).exit, 0);
  const { tabCount, tabs } = world.lane(lane);
  assert.deepEqual([tabCount, tabs.size], [1024, 1024]);
  const before = world.bytes();
  assert.deepEqual([(await world.claim(lane, 0.1, 0.1, { branch: 2 })).exit, world.bytes()], [exit.TABS_FULL, before]);
  assert.equal((await world.give(0.1, world.claimBody(lane, 0.1, 0.1, { branch: 2 }))).exit, exit.TABS_FULL);
  assert.equal((await world.claim(lane, 0.2, 0.2)).exit, 0);
  assert.equal((await world.claim(lane + 1, 0.1, 0.1, { branch: 2 })).exit, 0);
});

test('24,576 tabs of all lanes, so that the account stays within the cells that one may have', async () => {
  const { world, lane } = await opened();
  const storage = world.storage();
  left(world, world.balance(), storageCell({ ...storage, tabCount: 24_575 }));
  assert.equal((await world.claim(lane, 0.1, 0.1)).exit, 0);
  assert.equal(world.storage().tabCount, 24_576);
  const before = world.bytes();
  assert.deepEqual([(await world.claim(lane, 0.1, 0.1, { branch: 1 })).exit, world.bytes()], [exit.TABS_FULL, before]);
  assert.equal((await world.claim(lane, 0.2, 0.2)).exit, 0);
  // a dictionary of n has 2n - 1 cells, and a lane is one more
  const { cells } = world.chain.state(world.address).used;
  assert.ok(2 * 24_576 + 3 * 256 + Number(cells) < 65_536);
});

test('whose keys fork late makes claims internal, and none of them fails after ACCEPT', async () => {
  // with more credit than today's, so that it is the contract that says no
  for (const [depth, taken] of [[34, true], [39, true], [46, false], [120, false]]) {
    const { world, lane } = await opened({ coins: 400, config: configWith({ credit: 20_000n }) });
    const data = fillDeep(depth)(world.storage(), lane);
    left(world, nano(400), data);
    const outside = await world.claim(lane, 0.5, 0.0272353);
    assert.deepEqual([outside.taken, outside.exit], taken ? [true, 0] : [false, exit.TOO_DEEP], `${depth}`);
    if (taken) assert.ok(outside.gas < 40_000 && outside.skipped === 0 && outside.out[0].value > 0n);
    left(world, nano(400), data);
    const inside = await world.give(0.1, world.claimBody(lane, 0.5, 0.1));
    assert.deepEqual([inside.exit, inside.skipped], [0, 0]);
    assert.ok(inside.balance >= nano(399.9));
  }
});

test('the owner of a purse as deep as it can be still closes and frees', async () => {
  const { world, lane } = await opened({ coins: 400 });
  left(world, nano(400), fillDeep(60)(world.storage(), lane));
  for (const what of [action.lock({ lane, payee, amount: nano(0.1), spend }), action.startClose(lane), action.free(lane)]) {
    const { exit: code, gas } = await world.order(what);
    assert.equal(code, 0);
    assert.ok(gas < 2 * BOUND);
    world.chain.now += HOURS_6;
  }
});

test('when gas costs ten times as much, the floor follows and nothing is lost', async () => {
  const { world, lane } = await opened({ coins: 6, config: configWith({ times: 10n }) });
  const before = world.bytes();
  for (const due of [0.02, 0.1, 0.24]) assert.equal((await world.claim(lane, 1, due)).exit, exit.TOO_LITTLE);
  assert.equal(world.bytes(), before);
  const had = world.balance();
  const { exit: code, skipped, out, balance } = await world.claim(lane, 1, 0.25);
  assert.deepEqual([code, skipped, out.length], [0, 0, 1]);
  assert.ok(balance >= had - nano(0.25) && out[0].value > nano(0.2));
  // an order is refused where it would be paid from what is owed
  const owed = world.storage().owed;
  left(world, owed + nano(0.23));
  assert.equal((await world.order(action.startClose(lane))).exit, exit.NO_FEES);
  left(world, owed + nano(0.25));
  assert.equal((await world.order(action.startClose(lane))).exit, 0);
  assert.ok(world.balance() >= owed);
});

test('when gas costs a tenth, the floor is 0.02 and a dear notice still comes from free money', async () => {
  const { world, lane } = await opened({ config: configWith({ over: 10n }), lock: { payee: masterchain } });
  const near = await opened({ config: configWith({ over: 10n }) });
  assert.equal((await near.world.chain.get(near.world.address, 'lane', near.lane)).stack[7], nano(0.02));
  assert.equal((await near.world.claim(near.lane, 1, 0.019999999)).exit, exit.TOO_LITTLE);
  assert.equal((await near.world.claim(near.lane, 1, 0.02)).exit, 0);
  left(world, nano(1) + 10_000_000n);
  assert.equal((await world.order(action.startClose(lane))).exit, exit.NO_FEES);
  left(world, nano(1) + 14_000_000n);
  const { exit: code, out, balance } = await world.order(action.startClose(lane));
  assert.deepEqual([code, out.length], [0, 1]);
  assert.ok(balance >= nano(1));
});
