// Uses a chain through @ton/ton's TonClient alone, as any wallet or service does: node tonclient.mjs http://ADDRESS:PORT
// The faucet and the clock are the local chain's own. Prints one line for each thing that went as it should; stops at the first that did not.
import assert from 'node:assert/strict';
import { TonClient } from '@ton/ton';
import { Address, beginCell, Cell, external, storeMessage } from '@ton/core';
import { action, exit, keyPair, nano, Purse, readStorage } from './purse.mjs';

const base = process.argv[2], client = new TonClient({ endpoint: `${base}/api/v2/jsonRPC` });
const post = async (path, body) => {
  const answer = await fetch(base + path, { method: 'POST', body: JSON.stringify(body) });
  assert.equal(answer.status, 200, await answer.clone().text());
};
const went = (what) => console.log(`ok ${what}`);

// The global id of the local chain, `CHRY`.
const network = Buffer.from('CHRY').readInt32BE(0);
const [owner, spend, enclave] = [1, 2, 3].map(keyPair), home = new Address(0, Buffer.alloc(32, 0x77)), payee = new Address(0, Buffer.alloc(32, 0x55));
const purse = new Purse({ owner, home, network }), { address } = purse;
const now = async () => (await client.getContractState(address)).timestampt;
const send = async (body, init) => {
  const message = beginCell().store(storeMessage(external({ to: address, init, body }))).endCell();
  await client.sendFile(message.toBoc());
};
const order = async (what, seqno, init) => send(purse.signed(purse.order(what, { seqno, until: (await now()) + 60 })), init);
const call = async (name, ...stack) => (await client.runMethod(address, name, stack)).stack;

assert.equal(await client.getBalance(address), 0n);
assert.equal((await client.getContractState(address)).state, 'uninitialized');
await post('/faucet', { address: address.toString(), nano: Number(nano(3)) });
assert.equal(await client.getBalance(address), nano(3));
assert.equal(await client.isContractDeployed(address), false);
went('a balance before there is a contract');

await order(action.lock({ payee, amount: nano(1), spend }), 0, purse.init);
assert.equal(await client.isContractDeployed(address), true);
const state = await client.getContractState(address);
assert.deepEqual([Cell.fromBoc(state.code)[0].equals(purse.init.code), state.state], [true, 'active']);
went('a contract, deployed by its first message');

const read = await call('purse');
assert.equal(read.readNumber(), 1);
const [lane] = [...(await lanes()).keys()];
const asked = await call('lane', { type: 'int', value: BigInt(lane) });
assert.ok(asked.readAddress().equals(payee));
assert.equal(asked.readBigNumber(), BigInt(`0x${spend.publicKey.toString('hex')}`));
assert.equal(asked.readBigNumber(), nano(1));
went('get-methods, with numbers, addresses and arguments');

await send(purse.claim({ lane, enclave, spend, cap: nano(0.4), cumulative: nano(0.3) }));
const tab = await call('tab', { type: 'int', value: BigInt(lane) }, { type: 'int', value: BigInt(`0x${enclave.publicKey.toString('hex')}`) }, { type: 'int', value: 0n });
assert.equal(tab.readBigNumber(), nano(0.3));
const paid = await client.getBalance(payee);
assert.ok(paid > nano(0.29) && paid < nano(0.3), `${paid}`);
went('a claim, less its fees');

const again = await send(purse.claim({ lane, enclave, spend, cap: nano(0.4), cumulative: nano(0.3) })).then(() => null, (error) => error);
assert.match(JSON.stringify(again.response.data), new RegExp(`exitcode=${exit.TOO_LITTLE}\\b`));
went('a refusal, with its exit code');

const history = await client.getTransactions(address, { limit: 10 });
assert.deepEqual(history.map((it) => it.inMessage.info.type), ['external-in', 'external-in', 'internal']);
assert.equal(history[0].outMessages.get(0).info.value.coins, paid + feeOf(await client.getTransactions(payee, { limit: 1 })));
const older = await client.getTransactions(address, { limit: 10, lt: history[1].lt.toString(), hash: history[1].hash().toString('base64') });
assert.equal(older.at(-1).inMessage.info.type, 'internal');
went('transactions, newest first, and a page further down');

await order(action.startClose(lane), 1);
await post('/clock', { by: 21_600 });
await order(action.free(lane), 2);
await order(action.withdraw(nano(2)), 3);
assert.equal((await lanes()).size, 0);
assert.equal(await client.getBalance(home), nano(2));
went('a lane closed and freed, and money taken home');

async function lanes() {
  const { data } = await client.getContractState(address);
  return readStorage(Cell.fromBoc(data)[0]).lanes;
}

// What an account without a contract pays for getting money.
function feeOf([transaction]) {
  return transaction.totalFees.coins;
}
