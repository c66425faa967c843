// Judges the vectors in a folder by receipts.mjs and price.mjs: `node settle_vectors.mjs FOLDER`.
import { readFileSync } from 'node:fs';
import { after, base, follows, prices } from './price.mjs';
import { Refused, accept, digest, fields, hex, i64, label, sha, signed, sized, statement, u64, unpaid, verifyKept } from './receipts.mjs';

function outcome(judge) {
  try {
    judge();
    return null;
  } catch (error) {
    if (error instanceof Refused) return error.message;
    throw error;
  }
}

const load = (name) => JSON.parse(readFileSync(`${process.argv[2]}/${name}.json`, 'utf8'));
let wrong = 0, checked = 0;
function check(name, found, expected) {
  checked += 1;
  if (found === expected) return;
  wrong += 1;
  console.log(`${name}: ${found}, and not ${expected}`);
}
for (const { name, scene, receipt, code } of load('receipts')) check(name, outcome(() => accept(hex(receipt), scene)), code);
const kept = load('kept');
for (const { name, file, code } of kept.files) check(`kept ${name}`, outcome(() => verifyKept(hex(file), kept)), code);
const { statements, credential, quote, unpaid_quote: none, unpaid_purse: purse } = load('statements');
for (const { name, statement: bytes, digest: expected, key, signature } of statements) {
  check(name, digest(hex(bytes)).toString('hex') === expected && signed(hex(key), hex(bytes), hex(signature)), true);
}
const shown = hex(credential.bytes);
const cap = statement('CAP1', shown.subarray(0, 38), shown.readBigUInt64BE(38), hex(credential.receipt_key));
check('credential', signed(hex(credential.spend_key), cap, shown.subarray(46)), true);
check('quote', sha(hex(quote.bytes)).toString('hex'), quote.digest);
check('no quote', unpaid.toString('hex'), none);
check('purse', sha(label('chrysalis/unpaid/v1'), hex(purse.exporter)).toString('hex'), purse.purse);
const told = load('prices'), rates = told.rates.map(BigInt);
const or = (compute) => { try { return `${compute()}`; } catch { return 'null'; } };
for (const [at, epoch] of told.epochs.entries()) {
  const [price, load] = [{ floor: BigInt(epoch.floor), x: BigInt(epoch.x) }, { used: BigInt(epoch.used), capacity: BigInt(epoch.capacity) }];
  check(`base ${at}`, or(() => base(price)), `${epoch.base}`);
  check(`prices ${at}`, or(() => prices(price, rates)), `${epoch.prices}`);
  const next = after(price, load, BigInt(epoch.asked));
  check(`next ${at}`, `${next.floor} ${next.x}`, `${epoch.next.floor} ${epoch.next.x}`);
}
function readReport(bytes) {
  const { report, signature } = fields(bytes, 512, 'report_malformed', { report: Buffer.isBuffer, signature: sized(64) });
  const classes = (value) => Array.isArray(value) && value.length === 4 && value.every(u64);
  const counts = 'epoch floor x used capacity jobs failed revenue tabs first_token_ms tokens_per_second'.split(' ');
  const read = fields(report, 512, 'report_malformed', {
    version: (value) => value === 1n, receipt_key: sized(32), weights: sized(32), rates: classes, asked: classes, ended: i64,
    ...Object.fromEntries(counts.map((name) => [name, u64])),
  });
  const hash = (bytes) => sha(label('chrysalis/report/v1'), bytes);
  if (!signed(read.receipt_key, report, signature, hash)) throw new Refused('report_signature');
  return { ...read, receipt_key: read.receipt_key.toString('hex'), weights: read.weights.toString('hex') };
}
for (const { name, before, report, code } of told.reports) {
  const found = outcome(() => {
    const earlier = before && readReport(hex(before));
    const broken = follows(readReport(hex(report)), earlier);
    if (broken) throw new Refused(broken);
  });
  check(`report ${name}`, found, code);
}
console.log(`${checked} vectors, ${wrong} wrong`);
process.exit(wrong ? 1 : 0);
