// Judges the vectors in a folder by network.mjs: `node network_vectors.mjs FOLDER`.
import { readFileSync } from 'node:fs';
import { index, isAbout, isPublic, priceOf, readEndpoint, readListing, readOffer } from './network.mjs';
import { Refused, hex } from './receipts.mjs';

const load = (name) => JSON.parse(readFileSync(`${process.argv[2]}/${name}.json`, 'utf8'));
let wrong = 0, checked = 0;
function check(name, found, expected) {
  checked += 1;
  if (found === expected) return;
  wrong += 1;
  console.log(`${name}: ${found}, and not ${expected}`);
}
function outcome(judge) {
  try {
    judge();
    return null;
  } catch (error) {
    if (error instanceof Refused) return error.message;
    throw error;
  }
}
for (const { name, offer, code } of load('offers')) check(`offer ${name}`, outcome(() => readOffer(hex(offer))), code);
const { network, classes, now, claims: told, evidence, listings } = load('listings');
const claims = { ...told, epoch: BigInt(told.epoch), receipt_key: hex(told.receipt_key), configuration: hex(told.configuration) };
claims.models = told.models.map((model) => ({ ...model, weights: hex(model.weights) }));
for (const { name, listing, id, code } of listings) {
  const found = outcome(() => {
    const read = readListing(hex(listing), { network, classes, now: BigInt(now) });
    isAbout(read.offer, claims, hex(evidence));
    check(`id ${name}`, read.id, id);
  });
  check(`listing ${name}`, found, code);
}
const prices = load('index');
for (const { asked, index: expected } of prices.index) {
  check(`index of ${asked}`, `${index(asked.map((pair) => pair.map(BigInt)))}`, `${expected}`);
}
for (const { kind, asked, price } of prices.prices) check(`price of ${kind}`, `${priceOf(kind, asked.map(BigInt))}`, price);
for (const { address, public: expected } of load('endpoints')) {
  const host = readEndpoint(address);
  check(`address ${address}`, host === null ? null : isPublic(host), expected);
}
console.log(`${checked} vectors, ${wrong} wrong`);
process.exitCode = wrong ? 1 : 0;
