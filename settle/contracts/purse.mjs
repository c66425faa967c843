// A client of the purse, as docs/spec/settle.md defines it: for tests and scripts.
import { createHash, createPrivateKey, createPublicKey, sign as signed } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { beginCell, Cell, contractAddress, Dictionary } from '@ton/core';

const here = (name) => new URL(name, import.meta.url);
export const code = Cell.fromBase64(readFileSync(process.env.PURSE_BOC ?? here('purse.boc'), 'utf8'));

// The refusals, by the names that the contract has for them.
const constants = readFileSync(here('purse.tolk'), 'utf8').matchAll(/^const (\w+) = (4\d\d)\b/gm);
export const exit = { MALFORMED: 9, ...Object.fromEntries([...constants].map(([, name, value]) => [name, Number(value)])) };

export const nano = (coins) => BigInt(Math.round(coins * 1e9));
export const MAINNET = -239;
// Ed25519 of the seed that has this byte 32 times.
export function keyPair(byte) {
  const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), Buffer.alloc(32, byte)]);
  const secretKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  return { secretKey, publicKey: createPublicKey(secretKey).export({ format: 'der', type: 'spki' }).subarray(12) };
}
export const sign = (bytes, secretKey) => signed(null, bytes, secretKey);

export const op = { owner: 0x4f574e31, claim: 0x434c4d31, laneCloses: 0x4c434c31 };

export function statement(tag, purse, lane, branch, amount, last) {
  const numbers = Buffer.alloc(14);
  numbers.writeUInt32BE(lane, 0);
  numbers.writeUInt16BE(branch, 4);
  numbers.writeBigUInt64BE(BigInt(amount), 6);
  return Buffer.concat([Buffer.from(tag), Buffer.from([0]), purse, numbers, last]);
}
export const digest = (bytes) => createHash('sha256').update(Buffer.from([0x00, 0xa6])).update(bytes).digest();

const byte = (value) => beginCell().storeUint(value, 8);
export const action = {
  lock: ({ lane = 0, payee, amount, closeDelay = 21_600, spend }) =>
    byte(1).storeUint(lane, 32).storeAddress(payee).storeUint(amount, 64).storeUint(closeDelay, 32).storeBuffer(spend.publicKey),
  startClose: (lane) => byte(2).storeUint(lane, 32),
  free: (lane) => byte(3).storeUint(lane, 32),
  withdraw: (amount) => byte(4).storeUint(amount, 64),
};

export class Purse {
  constructor({ owner, home, network = MAINNET, salt = 7n, codeCell = code }) {
    this.owner = owner;
    this.keys = beginCell().storeBuffer(owner.publicKey).storeAddress(home).storeInt(network, 32).storeUint(salt, 64).endCell();
    const data = beginCell().storeUint(0, 32).storeUint(0, 32).storeUint(0, 16).storeUint(0, 16).storeCoins(0).storeBit(0).storeRef(this.keys).endCell();
    this.init = { code: codeCell, data };
    this.address = contractAddress(0, this.init);
    this.id = this.address.hash;
  }

  order(what, { seqno, until, purse = this.id }) {
    return beginCell().storeBuffer(purse).storeUint(seqno, 32).storeUint(until, 32).storeBuilder(what).endCell();
  }

  signed(order, key = this.owner) {
    return beginCell().storeUint(op.owner, 32).storeBuffer(sign(order.hash(), key.secretKey)).storeRef(order).endCell();
  }

  claim({ lane, branch = 0, enclave, spend, cap, cumulative, head = Buffer.alloc(32, 9), capSignature, receiptSignature }) {
    const by = (key, ...words) => sign(digest(statement(...words)), key.secretKey);
    const ofCap = capSignature ?? by(spend, 'CAP1', this.id, lane, branch, cap, enclave.publicKey);
    const ofReceipt = receiptSignature ?? by(enclave, 'RCP1', this.id, lane, branch, cumulative, head);
    const cell = (bytes) => beginCell().storeBuffer(bytes).endCell();
    return beginCell().storeUint(op.claim, 32).storeUint(lane, 32).storeUint(branch, 16).storeBuffer(enclave.publicKey)
      .storeUint(cap, 64).storeUint(cumulative, 64).storeBuffer(head).storeRef(cell(ofCap)).storeRef(cell(ofReceipt)).endCell();
  }
}

const ofLane = {
  serialize: (lane, into) => into.storeRef(laneCell(lane)),
  parse: (from) => readLane(from.loadRef().beginParse()),
};
const tabKeys = Dictionary.Keys.Buffer(34), tabValues = Dictionary.Values.BigUint(64);
export const noTabs = () => Dictionary.empty(tabKeys, tabValues);
export function tabKey(enclaveKey, branch) {
  return Buffer.concat([enclaveKey, Buffer.from([branch >> 8, branch & 255])]);
}

function readLane(from) {
  return {
    payee: from.loadAddress(), spendKey: from.loadBuffer(32), locked: from.loadCoins(), paid: from.loadCoins(),
    closeDelay: from.loadUint(32), closesAt: from.loadUint(32), tabCount: from.loadUint(16),
    tabs: from.loadDict(tabKeys, tabValues),
  };
}

export function laneCell(lane) {
  return beginCell().storeAddress(lane.payee).storeBuffer(lane.spendKey).storeCoins(lane.locked).storeCoins(lane.paid)
    .storeUint(lane.closeDelay, 32).storeUint(lane.closesAt, 32).storeUint(lane.tabCount, 16).storeDict(lane.tabs).endCell();
}

export function readStorage(cell) {
  const from = cell.beginParse();
  return {
    seqno: from.loadUint(32), nextLane: from.loadUint(32), laneCount: from.loadUint(16), tabCount: from.loadUint(16), owed: from.loadCoins(),
    lanes: from.loadDict(Dictionary.Keys.Uint(32), ofLane), keys: from.loadRef(),
  };
}

export function storageCell(storage) {
  return beginCell().storeUint(storage.seqno, 32).storeUint(storage.nextLane, 32).storeUint(storage.laneCount, 16).storeUint(storage.tabCount, 16)
    .storeCoins(storage.owed).storeDict(storage.lanes).storeRef(storage.keys).endCell();
}
