// A script of messages to one purse, with what came of each, for another emulator to repeat. Writes steps.json:
//
//   code_hash  of purse.boc                     address  the purse, raw
//   config     the blockchain's configuration, a BOC in base64: a dictionary of 32-bit keys
//   steps      in their order, each on the state that the one before it left:
//     name     what it tries                    now      Unix time of its block
//     lt       the transaction's logical time
//     external whether the message comes from outside
//     message  BOC in base64
//     taken    false: an external message that was not accepted, which leaves no transaction and changes nothing
//     exit     the contract's exit code, or why it did not run (`no-state`, `no-gas`); null where it was refused before it could
//     gas      used, in all                     fees     the transaction's total fees, rent among them, in nano
//     balance  after it, in nano                data     hash of the purse's data after it, or null
//     out      messages that leave: [raw address, nano, hash of the body, bounced]
//
// An emulator starts with no account. Random seeds are zero; the contract asks for none. Amounts are strings.
import { writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { beginCell, Cell } from '@ton/core';
import { account, external, internal, mainnet, messageCell } from './chain.mjs';
import { action, code, nano } from './purse.mjs';
import { enclave, enclave2, home, HOURS_6, masterchain, payee, spend, stranger, World } from './test/world.mjs';

export const file = new URL('steps.json', import.meta.url);

export async function script() {
  const world = new World(), { chain, purse, address } = world, steps = [];
  async function step(name, message) {
    const result = await chain.send(message), data = chain.state(address).data;
    if (result.taken && result.exit === 0 && message.info.type === 'external-in' && name.startsWith('order')) world.seqno += 1;
    steps.push({
      name, now: chain.now, lt: String(chain.lt), external: message.info.type === 'external-in', message: messageCell(message).toBoc().toString('base64'),
      taken: result.taken, exit: result.exit ?? null, gas: result.gas ?? 0, fees: String(result.fees ?? 0n), balance: String(result.balance), data: data?.hash().toString('hex') ?? null,
      out: result.out.map(({ dest, value, body, bounced }) => [dest.toRawString(), String(value), body.hash().toString('hex'), bounced]),
    });
    chain.now += 7;
    return result;
  }
  const order = (name, what, { seqno = world.seqno, until = chain.now + 60, key, id, init = null } = {}) =>
    step(`order: ${name}`, external(address, purse.signed(purse.order(what, { seqno, until, purse: id }), key), init));
  const outside = (name, body, init) => step(`claim: ${name}`, external(address, body, init));
  const inside = (name, coins, body, options) => step(`inside: ${name}`, internal(address, nano(coins), body, options));
  const lock = (coins, more) => action.lock({ payee, amount: nano(coins), spend, ...more });
  const claim = (...of) => world.claimBody(...of);

  await inside('a transfer that may bounce, before there is a purse', 1);
  await inside('a plain transfer', 5, Cell.EMPTY, { bounce: false });
  await order('by a stranger, deploys nothing', lock(1), { key: stranger, init: purse.init });
  const first = chain.now;
  await order('the first, deploys and locks 1', lock(1), { init: purse.init });
  await order('a second lane, in the masterchain', lock(0.5, { payee: masterchain }));
  const second = first + 7;
  await order('0.25 more for the first lane', lock(0.25, { lane: first }));
  await order('more under another key', lock(0.25, { lane: first, spend: stranger }));
  await order('more for a lane that is not there', lock(0.25, { lane: 99 }));
  await order('more than is free', lock(9));
  await order('a delay of ten seconds', lock(0.1, { closeDelay: 10 }));
  await order('a payee in workchain 3', lock(0.1, { payee: account(1, 3) }));
  await order('with an old number', lock(0.1), { seqno: 1 });
  await order('expired', lock(0.1), { until: chain.now });
  await order('of another purse', lock(0.1), { id: Buffer.alloc(32, 1) });
  await order('by the spend key', lock(0.1), { key: spend });
  await order('with a StateInit', lock(0.1), { init: purse.init });
  await order('of an unknown kind', beginCell().storeUint(9, 8));
  await order('with a bit too many', action.withdraw(1n).storeBit(1));
  await outside('0.1 on a new tab', claim(first, 0.3, 0.1));
  await outside('the same again', claim(first, 0.3, 0.1));
  await outside('less than its fees', claim(first, 0.3, 0.11));
  await outside('over the cap', claim(first, 0.3, 0.9));
  await outside('another branch', claim(first, 0.2, 0.1, { branch: 1 }));
  await outside('another enclave', claim(first, 0.2, 0.1, { enclave: enclave2 }));
  await outside('from the second lane', claim(second, 0.2, 0.1));
  await outside('a forged cap', claim(first, 0.9, 0.5, { spend: stranger }));
  await outside('a forged receipt', claim(first, 0.9, 0.5, { receiptSignature: Buffer.alloc(64, 1) }));
  await outside('a lane that is not there', claim(99, 0.9, 0.5));
  await outside('with a StateInit', claim(first, 0.9, 0.5), purse.init);
  await outside('no opcode that it knows', beginCell().storeUint(0xdeadbeef, 32).endCell());
  await inside('a claim of 0.1', 0.05, claim(first, 0.5, 0.4));
  await inside('the same again, which bounces', 0.05, claim(first, 0.5, 0.4));
  await inside('a claim with too little for its gas', 0.002, claim(first, 0.6, 0.6));
  await inside('a comment', 0.3, beginCell().storeUint(0, 32).storeBuffer(Buffer.from('thanks')).endCell());
  await inside('something else, which bounces', 0.3, beginCell().storeUint(1, 32).endCell());
  await inside('something else, which may not bounce', 0.3, beginCell().storeUint(1, 32).endCell(), { bounce: false });
  await inside('a message that bounced', 0.1, claim(first, 0.6, 0.6), { bounced: true, bounce: false });
  await order('1 home', action.withdraw(nano(1)));
  await order('more home than is free', action.withdraw(nano(8)));
  await order('free before it is closed', action.free(first));
  await order('start close', action.startClose(first));
  await order('start close again', action.startClose(first));
  await order('start close in the masterchain', action.startClose(second));
  await order('more for a lane that closes', lock(0.25, { lane: first }));
  await order('free too early', action.free(first));
  await outside('while it closes', claim(first, 0.6, 0.6));
  chain.now += HOURS_6;
  await outside('after its time', claim(first, 0.9, 0.7));
  await order('free', action.free(first));
  await outside('from a lane that is gone', claim(first, 0.9, 0.9));
  await outside('the rest of the second lane', claim(second, 9, 9, { enclave: enclave2 }));
  await order('free the second lane, of which nothing is left', action.free(second));
  chain.now += 90 * 86_400;
  await inside('a quarter later, which takes the rent', 0.1, Cell.EMPTY, { src: home });
  await order('a third lane', lock(0.5));
  await order('what is free, home', action.withdraw((await chain.get(address, 'purse')).stack[5] - 2_000_000n));
  return { code_hash: code.hash().toString('hex'), address: address.toRawString(), config: mainnet, steps };
}

export function text({ steps, ...rest }) {
  const head = JSON.stringify(rest, null, 1).slice(0, -2);
  return `${head},\n "steps": [\n${steps.map((step) => '  ' + JSON.stringify(step)).join(',\n')}\n ]\n}\n`;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) writeFileSync(file, text(await script()));
