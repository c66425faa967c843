// Follows the reports of many enclaves, a line of JSON each, by price.mjs: `node price_replay.mjs < REPORTS`.
import { readFileSync } from 'node:fs';
import { follows } from './price.mjs';

const before = new Map();
let checked = 0, wrong = 0;
for (const line of readFileSync(0, 'utf8').split('\n')) {
  const report = JSON.parse(line, (key, value) => (typeof value === 'string' ? BigInt(value) : value));
  checked += 1;
  if (follows(report, before.get(report.enclave))) wrong += 1;
  before.set(report.enclave, report);
}
console.log(`${checked} reports, ${wrong} wrong`);
