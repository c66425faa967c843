// The bytes that a second implementation must make: docs/spec/settle.md quotes them. Writes vectors.json.
import { readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { beginCell, storeStateInit } from '@ton/core';
import { account, external, internal, messageCell, START } from './chain.mjs';
import { action, code, digest, keyPair, nano, Purse, sign, statement } from './purse.mjs';

export const file = new URL('vectors.json', import.meta.url);
const hex = (bytes) => bytes.toString('hex');
const boc = (cell) => ({ hash: hex(cell.hash()), boc: hex(cell.toBoc({ idx: false, crc32: false })) });

export function vectors() {
  const [owner, spend, enclave] = [1, 2, 3].map(keyPair), head = Buffer.alloc(32, 9);
  const payee = account(0xaa), home = account(0xbb), lane = START, until = START + 60;
  const purse = new Purse({ owner, home });
  const stated = (tag, id, amount, last, key) => {
    const bytes = statement(tag, id, lane, 0, amount, last);
    return { bytes: hex(bytes), digest: hex(digest(bytes)), signature: hex(sign(digest(bytes), key.secretKey)) };
  };
  const both = (id) => ({ cap: stated('CAP1', id, nano(0.3), enclave.publicKey, spend), receipt: stated('RCP1', id, nano(0.1), head, enclave) });
  const orders = {
    lock: action.lock({ payee, amount: nano(1), spend }),
    add: action.lock({ lane, payee, amount: nano(0.25), spend }),
    start_close: action.startClose(lane),
    free: action.free(lane),
    withdraw: action.withdraw(nano(1.5)),
  };
  const ordered = (what, seqno) => {
    const order = purse.order(what, { seqno, until });
    return { seqno, order: boc(order), body: boc(purse.signed(order)) };
  };
  const claim = purse.claim({ lane, enclave, spend, cap: nano(0.3), cumulative: nano(0.1), head });
  return {
    seeds: { owner: '01 × 32', spend: '02 × 32', enclave: '03 × 32' },
    keys: { owner: hex(owner.publicKey), spend: hex(spend.publicKey), enclave: hex(enclave.publicKey) },
    payee: payee.toRawString(), home: home.toRawString(), network: -239, salt: 7, lane, until, head: hex(head),
    code_hash: hex(code.hash()), purse: purse.address.toRawString(),
    data: boc(purse.init.data), state_init: { hash: hex(beginCell().store(storeStateInit(purse.init)).endCell().hash()) },
    statements_of_network: both(Buffer.from('f00f53582b416a41cb8c64444819ce41caa49ac91c47f8bc4297fc6816cbbc41', 'hex')),
    statements: both(purse.id),
    orders: Object.fromEntries(Object.entries(orders).map(([name, what], seqno) => [name, ordered(what, seqno)])),
    claim: { cap: Number(nano(0.3)), cumulative: Number(nano(0.1)), body: boc(claim) },
    messages: {
      deploy: boc(messageCell(external(purse.address, purse.signed(purse.order(orders.lock, { seqno: 0, until })), purse.init))),
      claim: boc(messageCell(external(purse.address, claim))),
      claim_internal: boc(messageCell(internal(purse.address, nano(0.05), claim))),
    },
  };
}

export const read = () => JSON.parse(readFileSync(file, 'utf8'));
if (import.meta.url === pathToFileURL(process.argv[1]).href) writeFileSync(file, JSON.stringify(vectors(), null, 2) + '\n');
