// Judges the vectors in a folder by receipts.mjs: `node receipts_vectors.mjs FOLDER`.
import { readFileSync } from 'node:fs';
import { Refused, accept, digest, hex, label, sha, signed, statement, unpaid, verifyKept } from './receipts.mjs';

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
console.log(`${checked} vectors, ${wrong} wrong`);
process.exit(wrong ? 1 : 0);
