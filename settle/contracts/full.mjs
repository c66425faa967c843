// Purses too full to fill one message at a time: their storage, written down.
import { createHash } from 'node:crypto';
import { storageCell, noTabs, tabKey } from './purse.mjs';

const key = (number) => createHash('sha256').update(`enclave ${number}`).digest();

// `lanes` lanes of `like`'s kind, numbered on from it; the first has `tabs` tabs beside its own.
export function filled(storage, lane, { lanes, tabs }) {
  const like = storage.lanes.get(lane);
  for (let at = 1; at < lanes; at++) storage.lanes.set(lane + at, { ...like, tabs: noTabs(), tabCount: 0, paid: 0n, locked: like.locked + BigInt(at) });
  const all = noTabs();
  for (const [name, paid] of like.tabs) all.set(name, paid);
  for (let at = 0; at < tabs; at++) all.set(tabKey(key(at), at % 7), 30_000_000n);
  storage.lanes.set(lane, { ...like, tabs: all, tabCount: all.size });
  return settled(storage);
}

// Lanes and tabs whose numbers fork from this one's at every bit, so that it lies `depth` cells deep: 32 of them in the lanes.
export function deep(storage, lane, enclaveKey, depth) {
  const like = storage.lanes.get(lane), tabs = noTabs();
  for (let bit = 0; bit < 32; bit++) storage.lanes.set((lane ^ (1 << bit)) >>> 0, { ...like, tabs: noTabs(), tabCount: 0 });
  for (let bit = 0; bit < depth - 34; bit++) {
    const other = Buffer.from(enclaveKey);
    other[bit >> 3] ^= 0x80 >> (bit & 7);
    tabs.set(tabKey(other, 0), 30_000_000n);
  }
  tabs.set(tabKey(enclaveKey, 0), 1n);
  storage.lanes.set(lane, { ...like, tabs, tabCount: tabs.size });
  return settled(storage);
}

function settled(storage) {
  storage.laneCount = storage.lanes.size;
  storage.tabCount = storage.lanes.values().reduce((sum, { tabCount }) => sum + tabCount, 0);
  storage.owed = storage.lanes.values().reduce((sum, { locked, paid }) => sum + locked - paid, 0n);
  storage.nextLane = Math.max(...storage.lanes.keys()) + 1;
  return storageCell(storage);
}
