// What each step uses and costs with the main network's prices: a table, which test/limits.test.mjs holds to the bound.
import { pathToFileURL } from 'node:url';
import { configWith } from './chain.mjs';
import { deep, filled } from './full.mjs';
import { action, keyPair, nano } from './purse.mjs';
import { enclave, HOURS_6, left, masterchain, open, opened, payee, spend } from './test/world.mjs';

const lock = (more) => action.lock({ payee, amount: nano(0.5), spend, ...more });

async function full(tabs) {
  const { world, lane } = await opened({ coins: 400 });
  left(world, nano(400), filled(world.storage(), lane, { lanes: 256, tabs }));
  return { world, lane };
}

const steps = {
  'first order, deploys and locks': async () => (await open()).order(lock()),
  'lock, second lane': async () => (await opened()).world.order(lock()),
  'lock, 256th lane': async () => {
    const { world, lane } = await opened({ coins: 400 });
    left(world, nano(400), filled(world.storage(), lane, { lanes: 255, tabs: 1024 }));
    return world.order(lock());
  },
  'add to a lane': async () => {
    const { world, lane } = await opened();
    return world.order(lock({ lane }));
  },
  'add to a lane, 256 lanes': async () => {
    const { world, lane } = await full(1024);
    return world.order(lock({ lane }));
  },
  'start close': async () => {
    const { world, lane } = await opened();
    return world.order(action.startClose(lane));
  },
  'start close, 256 lanes': async () => {
    const { world, lane } = await full(1024);
    return world.order(action.startClose(lane));
  },
  'start close, payee in the masterchain': async () => {
    const { world, lane } = await opened({ lock: { payee: masterchain } });
    return world.order(action.startClose(lane));
  },
  free: async () => {
    const { world, lane } = await opened();
    await world.order(action.startClose(lane));
    world.chain.now += HOURS_6;
    return world.order(action.free(lane));
  },
  'free, 256 lanes': async () => {
    const { world, lane } = await full(1024);
    await world.order(action.startClose(lane));
    world.chain.now += HOURS_6;
    return world.order(action.free(lane));
  },
  withdraw: async () => (await opened()).world.order(action.withdraw(nano(1))),
  'claim, 1 lane, new tab': async () => {
    const { world, lane } = await opened();
    return world.claim(lane, 0.3, 0.1);
  },
  'claim, 1 lane, same tab': async () => {
    const { world, lane } = await opened();
    await world.claim(lane, 0.3, 0.1);
    return world.claim(lane, 0.3, 0.2);
  },
  'claim, 2 lanes, new tab': async () => {
    const { world, lane } = await opened();
    await world.lock(0.5);
    return world.claim(lane, 0.3, 0.1);
  },
  'claim, 256 lanes, 1024th tab': async () => {
    const { world, lane } = await full(1023);
    return world.claim(lane, 0.3, 0.1, { enclave: keyPair(77) });
  },
  'claim, payee in the masterchain': async () => {
    const { world, lane } = await opened({ lock: { payee: masterchain } });
    return world.claim(lane, 0.3, 0.1);
  },
  'claim, internal, 1 lane': async () => {
    const { world, lane } = await opened();
    return world.give(0.05, world.claimBody(lane, 0.3, 0.1));
  },
  'claim, internal, 256 lanes, 1024th tab': async () => {
    const { world, lane } = await full(1023);
    return world.give(0.05, world.claimBody(lane, 0.3, 0.1, { enclave: keyPair(77) }));
  },
  'money in': async () => (await opened()).world.give(0.5),
};

// What whoever pays for a step is short of: the purse by an order, the payee by a claim.
function cost({ fees, rent, forward, out, gasFees, name }) {
  const paidOut = out[0]?.value ?? 0n;
  if (name.startsWith('claim, internal')) return nano(0.15) - paidOut;
  if (name.startsWith('claim')) return nano(0.1) - paidOut;
  const delivered = forward - (forward * 21_845n) / 65_536n;
  return name === 'money in' ? gasFees : fees - rent + delivered;
}

export async function table() {
  const rows = [];
  for (const [name, step] of Object.entries(steps)) {
    const result = await step();
    if (result.exit !== 0) throw new Error(`${name}: ${result.exit}`);
    rows.push({ name, gas: result.gas, nano: cost({ ...result, name }) });
  }
  return rows;
}

// The smallest credit with which this external claim is accepted: what it uses before ACCEPT.
export async function beforeAccept(fill) {
  let [low, high] = [2_000n, 12_000n];
  while (high - low > 1n) {
    const credit = (low + high) / 2n;
    const { world, lane } = await opened({ coins: 400 });
    if (fill) left(world, nano(400), fill(world.storage(), lane));
    world.chain.config = configWith({ credit });
    if ((await world.claim(lane, 0.5, 0.5)).taken) high = credit;
    else low = credit;
  }
  return high;
}

export const fill256 = (storage, lane) => filled(storage, lane, { lanes: 256, tabs: 1023 });
export const fillDeep = (depth) => (storage, lane) => deep(storage, lane, enclave.publicKey, depth);

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  for (const { name, gas, nano: of } of await table()) console.log(name.padEnd(42), String(gas).padStart(6), String(of).padStart(10));
  console.log('before ACCEPT: claim, 1 lane'.padEnd(42), String(await beforeAccept()).padStart(6));
  console.log('before ACCEPT: claim, 256 lanes, 1024 tabs'.padEnd(42), String(await beforeAccept(fill256)).padStart(6));
}
