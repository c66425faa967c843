// A chain of one account at a time, in the emulator that validators run: a message in, a transaction out, nothing delivered.
import { Address, beginCell, Cell, Dictionary, loadShardAccount, loadTransaction, parseTuple, storeMessage, storeShardAccount } from '@ton/core';
import { createEmptyShardAccount, createShardAccount, Executor } from '@ton/sandbox';
import { slimConfig } from '@ton/sandbox/dist/config/slimConfig.js';

// The main network's configuration, without its validators.
export const mainnet = slimConfig;

export const START = 1_796_126_400;
export const account = (byte, workchain = 0) => new Address(workchain, Buffer.alloc(32, byte));

const pack = (shardAccount) => beginCell().store(storeShardAccount(shardAccount)).endCell().toBoc().toString('base64');

export function external(dest, body, init = null) {
  return { info: { type: 'external-in', dest, importFee: 0n }, init, body };
}
export function internal(dest, value, body = Cell.EMPTY, { src = account(0xee), bounce = true, bounced = false, init = null, other = null } = {}) {
  const info = { type: 'internal', ihrDisabled: true, bounce, bounced, src, dest, value: { coins: value, other }, ihrFee: 0n, forwardFee: 0n };
  return { info: { ...info, createdLt: 0n, createdAt: 0 }, init, body };
}
export const messageCell = (message) => beginCell().store(storeMessage(message)).endCell();

// The configuration with gas at `times / over` of its price, or with another credit, in both workchains.
export function configWith({ times = 1n, over = 1n, credit, base = mainnet }) {
  const config = Dictionary.loadDirect(Dictionary.Keys.Int(32), Dictionary.Values.Cell(), Cell.fromBase64(base));
  for (const id of [20, 21]) {
    const from = config.get(id).beginParse(), to = beginCell();
    to.storeUint(from.loadUint(8), 8).storeUint(from.loadUintBig(64), 64).storeUint((from.loadUintBig(64) * times) / over, 64);
    to.storeUint(from.loadUint(8), 8).storeUint((from.loadUintBig(64) * times) / over, 64);
    to.storeUint(from.loadUintBig(64), 64).storeUint(from.loadUintBig(64), 64);
    const old = from.loadUintBig(64);
    config.set(id, to.storeUint(credit ?? old, 64).storeSlice(from).endCell());
  }
  return beginCell().storeDictDirect(config).endCell().toBoc().toString('base64');
}

const executor = await Executor.create();

export class Chain {
  constructor({ config = mainnet, now = START } = {}) {
    Object.assign(this, { config, now, accounts: new Map(), lt: 1_000_000n });
  }

  shardAccount(address) {
    return this.accounts.get(address.toRawString()) ?? pack(createEmptyShardAccount(address));
  }

  put(address, { balance, init }) {
    this.accounts.set(address.toRawString(), pack(createShardAccount({ address, code: init.code, data: init.data, balance })));
  }

  state(address) {
    const packed = this.shardAccount(address);
    if (this.seen?.packed !== packed) this.seen = { packed, state: this.read(packed) };
    return this.seen.state;
  }

  read(packed) {
    const { account } = loadShardAccount(Cell.fromBase64(packed).beginParse());
    const state = account?.storage.state;
    return { type: state?.type ?? 'none', data: state?.state?.data, balance: account?.storage.balance.coins ?? 0n, used: account?.storageStats.used };
  }

  balance(address) {
    return this.state(address).balance;
  }

  // `taken` is false for an external message that was not accepted: then nothing has changed and nothing was paid.
  async send(message, prepared = messageCell(message)) {
    const { dest } = message.info;
    this.lt += 1_000_000n;
    const { result } = await executor.runTransaction({
      config: this.config, libs: null, verbosity: 'short', shardAccount: this.shardAccount(dest), message: prepared,
      now: this.now, lt: this.lt, randomSeed: Buffer.alloc(32), ignoreChksig: false, debugEnabled: false,
    });
    if (!result.success) return { taken: false, exit: result.vmResults?.vmExitCode, error: result.error, out: [], balance: this.balance(dest) };
    this.accounts.set(dest.toRawString(), result.shardAccount);
    const transaction = loadTransaction(Cell.fromBase64(result.transaction).beginParse());
    const { computePhase: compute, actionPhase, storagePhase } = transaction.description;
    return {
      taken: true, exit: compute.type === 'vm' ? compute.exitCode : compute.reason, gas: Number(compute.gasUsed ?? 0n), gasFees: compute.gasFees ?? 0n,
      fees: transaction.totalFees.coins, rent: storagePhase?.storageFeesCollected ?? 0n, forward: actionPhase?.totalFwdFees ?? 0n, skipped: actionPhase?.skippedActions ?? 0,
      action: actionPhase?.resultCode, balance: this.balance(dest),
      out: transaction.outMessages.values().map(({ info, body }) => ({ dest: info.dest, value: info.value.coins, other: info.value.other, bounce: info.bounce, bounced: info.bounced, body })),
    };
  }

  async get(address, method, ...args) {
    const { account } = loadShardAccount(Cell.fromBase64(this.shardAccount(address)).beginParse());
    const { code, data } = account.storage.state.state;
    const { output } = await executor.runGetMethod({
      code, data, address, config: this.config, verbosity: 'short', methodId: methodId(method), balance: account.storage.balance.coins,
      stack: args.map((value) => ({ type: 'int', value: BigInt(value) })), unixTime: this.now, randomSeed: Buffer.alloc(32), gasLimit: 1_000_000n, debugEnabled: false,
    });
    if (output.vm_exit_code > 1) return { exit: output.vm_exit_code, gas: Number(output.gas_used) };
    const stack = parseTuple(Cell.fromBase64(output.stack));
    return { exit: 0, gas: Number(output.gas_used), stack: stack.map((item) => (item.type === 'int' ? item.value : item.cell.beginParse().loadAddress())) };
  }
}

// CRC-16/XMODEM of the name, with bit 16 set.
function methodId(name) {
  let crc = 0;
  for (const byte of Buffer.from(name)) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
  }
  return (crc & 0xffff) | 0x10000;
}
