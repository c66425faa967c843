// One purse with money in it, and the people around it.
import { Address } from '@ton/core';
import { account, Chain, external, internal } from '../chain.mjs';
import { action, keyPair, nano, Purse, readStorage } from '../purse.mjs';

export const owner = keyPair(1), spend = keyPair(2), enclave = keyPair(3), enclave2 = keyPair(4), stranger = keyPair(0x66);
export const home = account(0xbb), payee = account(0xaa), masterchain = account(0xaa, -1);
export const HOURS_6 = 21_600;

export class World {
  constructor(options = {}) {
    this.chain = new Chain(options);
    this.purse = new Purse({ owner, home, ...options });
    this.address = new Address(options.workchain ?? 0, this.purse.id);
    this.seqno = 0;
  }

  give(coins, body, options = { bounce: false }) {
    return this.chain.send(internal(this.address, nano(coins), body, options));
  }

  outside(body, init = null) {
    return this.chain.send(external(this.address, body, init));
  }

  async order(what, { seqno = this.seqno, until = this.chain.now + 60, key = owner, purse, init } = {}) {
    const body = this.purse.signed(this.purse.order(what, { seqno, until, purse }), key);
    const result = await this.outside(body, init ?? (seqno === 0 ? this.purse.init : null));
    if (result.taken) this.seqno = seqno + 1;
    return result;
  }

  // The number of a new lane.
  async lock(coins, options = {}) {
    const result = await this.order(action.lock({ payee, amount: nano(coins), spend, ...options }));
    if (!result.taken) throw new Error(`not locked: ${result.exit}`);
    return this.storage().nextLane - 1;
  }

  claimBody(lane, cap, cumulative, options = {}) {
    return this.purse.claim({ lane, cap: nano(cap), cumulative: nano(cumulative), enclave, spend, ...options });
  }

  claim(...of) {
    return this.outside(this.claimBody(...of));
  }

  storage() {
    return readStorage(this.chain.state(this.address).data);
  }

  lane(id) {
    return this.storage().lanes.get(id);
  }

  balance() {
    return this.chain.balance(this.address);
  }

  bytes() {
    return this.chain.shardAccount(this.address);
  }
}

export async function open(coins = 3, options) {
  const world = new World(options);
  await world.give(coins);
  return world;
}

// With one lane, deployed by the order that locks it.
export async function opened({ coins = 3, locked = 1, ...options } = {}) {
  const world = await open(coins, options);
  const lane = await world.lock(locked, options.lock);
  return { world, lane };
}

// As after years of rent: the same purse with another balance, or with other data.
export function left(world, balance, data = world.chain.state(world.address).data) {
  world.chain.put(world.address, { balance, init: { code: world.purse.init.code, data } });
}
