// Switches off every guard of purse.tolk in turn, and much of the rest, and runs the tests on what that compiles to.
// A mutant that passes them survives: then a test is missing. `node mutants.mjs 3 7` tries the mutants with these numbers.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compile, source } from './compile.mjs';

const TESTS = ['orders', 'claims', 'money', 'faults', 'limits', 'random'];
const text = source();

// SEND_MODE_IGNORE_ERRORS is not among them: no send can fail, so no test can tell.
const edits = [
  ['self.seqno += 1;', ''],
  ['max(st.nextLane, blockchain.now())', 'blockchain.now()'],
  ['max(st.nextLane, blockchain.now())', 'max(st.nextLane, 1)'],
  ['st.nextLane = id + 1;', ''],
  ['st.laneCount += 1;', ''],
  ['st.laneCount -= 1;', ''],
  ['lane.tabCount += 1;', ''],
  ['st.tabCount += 1;', ''],
  ['st.tabCount -= lane.tabCount;', ''],
  ['lane.tabCount < MAX_TABS && ', ''],
  [' && st.tabCount < MAX_ALL_TABS', ''],
  ['MAX_ALL_TABS = 24576', 'MAX_ALL_TABS = 24577'],
  ['st.owed += a.amount;', ''],
  ['st.owed -= delta;', ''],
  ['st.owed -= lane.locked - lane.paid;', ''],
  ['lane.paid += delta;', ''],
  ['lane.locked += a.amount;', ''],
  ['lane.tabs.set(tab, had + delta);', ''],
  ['had + delta', 'delta'],
  ['had = before.loadValue();', ''],
  ['min(msg.cumulative, msg.cap)', 'msg.cumulative'],
  ['min(msg.cumulative, msg.cap)', 'msg.cap'],
  ['min(msg.cumulative, msg.cap) - had, lane.locked - lane.paid)', 'min(msg.cumulative, msg.cap) - had, lane.locked)'],
  [', here);', ', lane.locked);'],
  ['contract.getOriginalBalance() - given', 'contract.getOriginalBalance()'],
  ['max(FLOOR, 2 *', 'max(FLOOR, 1 *'],
  ['max(FLOOR, 2 *', 'max(0, 2 *'],
  ['GAS_BOUND) + brought + out)', 'GAS_BOUND) + brought)'],
  ['GAS_BOUND) + brought + out)', 'GAS_BOUND) + out)'],
  ['self.owed - 2 *', 'self.owed - 1 *'],
  ['self.owed - 2 *', '2 *'],
  [' - message;', ';'],
  ['GAS_BOUND = 30000', 'GAS_BOUND = 29999'],
  ['GAS_TO_SEND = 1500', 'GAS_TO_SEND = 1400'],
  ['GAS_TO_ACCEPT = 9800', 'GAS_TO_ACCEPT = 9000'],
  ['CLAIM_BITS = 1744', 'CLAIM_BITS = 1024'],
  ['CLAIM_CELLS = 3', 'CLAIM_CELLS = 2'],
  ['MAX_LANES = 256', 'MAX_LANES = 257'],
  ['MAX_TABS = 1024', 'MAX_TABS = 1025'],
  ['MIN_DELAY = 3600', 'MIN_DELAY = 3601'],
  ['MAX_DELAY = 604800', 'MAX_DELAY = 604799'],
  ['RENT = ton("0.05")', 'RENT = ton("0.04")'],
  ['FLOOR = ton("0.02")', 'FLOOR = ton("0.03")'],
  ['free(0) >= RENT + a.amount', 'free(0) >= a.amount'],
  ['free(out) >= RENT + a.amount', 'free(0) >= RENT + a.amount'],
  ['free(calculateForwardFee(lane.payee.getWorkchain(), 0, 0)) >= 1', 'free(0) >= 1'],
  ['order.validUntil > blockchain.now()', 'order.validUntil >= blockchain.now()'],
  ['blockchain.now() >= lane.closesAt)', 'blockchain.now() > lane.closesAt)'],
  ['lane.closesAt != 0 && ', ''],
  ['blockchain.now() + lane.closeDelay', 'blockchain.now()'],
  ['a.payee == lane.payee && ', ''],
  ['a.spendKey == lane.spendKey && ', ''],
  [' && a.closeDelay == lane.closeDelay', ''],
  [' || workchain == MASTERCHAIN', ''],
  ['|| Storage.load().seqno == 0', ''],
  ['value: delta + given - fees', 'value: delta + given'],
  ['value: delta + given - fees', 'value: delta - fees'],
  ['value: delta + given - fees', 'value: contract.getOriginalBalance() - fees'],
  ['bounce: BounceMode.NoBounce, value: delta', 'bounce: BounceMode.Only256BitsOfBody, value: delta'],
  ['bounce: BounceMode.NoBounce, value: 1', 'bounce: BounceMode.Only256BitsOfBody, value: 1'],
  ['bounce: BounceMode.NoBounce, value: a.amount', 'bounce: BounceMode.Only256BitsOfBody, value: a.amount'],
  ['value: a.amount as coins, dest: home })\n        .send(SEND_MODE_PAY_FEES_SEPARATELY', 'value: a.amount as coins, dest: home })\n        .send(SEND_MODE_REGULAR'],
  ['GAS_TO_SEND) + brought;', 'GAS_TO_SEND);'],
  ['.send(SEND_MODE_REGULAR | SEND_MODE_IGNORE_ERRORS)', '.send(SEND_MODE_CARRY_ALL_BALANCE | SEND_MODE_IGNORE_ERRORS)'],
  ['{ lane: a.lane, closesAt: lane.closesAt }', '{ lane: a.lane, closesAt: blockchain.now() }'],
  ['in.body.isEmpty() || ', ''],
  [' || (in.body.remainingBitsCount() >= 32 && in.body.preloadUint(32) == 0)', ''],
  ['false, in.valueCoins', 'false, 0'],
  ['false, in.valueCoins', 'true, in.valueCoins'],
  ['settle(Claim.fromSlice(body), true, 0)', 'settle(Claim.fromSlice(body, { assertEndAfterReading: false }), true, 0)'],
  ['Owner.fromSlice(body, {', 'Owner.fromSlice(body, { assertEndAfterReading: false,'],
  ['Order.fromCell(msg.order, {', 'Order.fromCell(msg.order, { assertEndAfterReading: false,'],
  ['Claim.fromSlice(in.body, {', 'Claim.fromSlice(in.body, { assertEndAfterReading: false,'],
  ['msg.capSignature.load() as slice', 'msg.capSignature.beginParse()'],
  ['msg.receiptSignature.load() as slice', 'msg.receiptSignature.beginParse()'],
  ['digest(RCP1,', 'digest(CAP1,'],
  ['nextLane: 0, laneCount: 0, tabCount: 0, owed: 0, lanes: []', 'nextLane: 0, laneCount: 0, tabCount: 0, owed: 0, lanes: st.lanes'],
];

const mutants = [...text.matchAll(/assert \([^;]*\) throw (\w+);/g)].map(({ 0: line, index }) => ({
  name: `line ${text.slice(0, index).split('\n').length}: without ${line.replace(/\s+/g, ' ')}`, text: text.slice(0, index) + text.slice(index + line.length),
}));
for (const [from, to] of edits) {
  if (!text.includes(from)) throw new Error(`purse.tolk has no \`${from}\` any more: mend mutants.mjs`);
  mutants.push({ name: `${from.replace(/\s+/g, ' ')} → ${to.replace(/\s+/g, ' ') || 'nothing'}`, text: text.replace(from, to) });
}

const folder = mkdtempSync(join(tmpdir(), 'mutants-')), boc = join(folder, 'purse.boc');
function killer() {
  for (const name of TESTS) {
    const { status } = spawnSync(process.execPath, [`test/${name}.test.mjs`], { cwd: import.meta.dirname, env: { ...process.env, PURSE_BOC: boc } });
    if (status !== 0) return name;
  }
  return null;
}

const chosen = process.argv.slice(2).map(Number);
let survivors = 0;
for (const [at, mutant] of mutants.entries()) {
  if (chosen.length && !chosen.includes(at)) continue;
  let by;
  try {
    writeFileSync(boc, (await compile(mutant.text)).boc);
    by = killer();
  } catch (error) {
    by = `the compiler (${error.message.split('\n')[0]})`;
  }
  survivors += by === null;
  console.log(`${String(at).padStart(3)} ${by === null ? 'SURVIVES' : by.padEnd(8)} ${mutant.name}`);
}
rmSync(folder, { recursive: true });
console.log(`${chosen.length || mutants.length} mutants, ${survivors} survive`);
process.exitCode = survivors ? 1 : 0;
