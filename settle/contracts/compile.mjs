// Compiles purse.tolk. Without arguments writes purse.boc, purse.hash and purse.version; with --check compares them.
import { readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { Cell } from '@ton/core';
import { getTolkCompilerVersion, runTolkCompiler } from '@ton/tolk-js';

const at = (name) => new URL(name, import.meta.url);
export const source = () => readFileSync(at('purse.tolk'), 'utf8');

export async function compile(text) {
  const result = await runTolkCompiler({ entrypointFileName: 'purse.tolk', fsReadCallback: () => text, optimizationLevel: 2 });
  if (result.status === 'error') throw new Error(result.message);
  return { boc: result.codeBoc64, hash: Cell.fromBase64(result.codeBoc64).hash().toString('hex') };
}

async function main(check) {
  const { boc, hash } = await compile(source());
  const files = { 'purse.boc': boc, 'purse.hash': hash, 'purse.version': await getTolkCompilerVersion() };
  console.log(`${hash}  ${Buffer.from(boc, 'base64').length} bytes, Tolk ${files['purse.version']}`);
  if (!check) {
    for (const [name, text] of Object.entries(files)) writeFileSync(at(name), text + '\n');
    return;
  }
  const differ = Object.keys(files).filter((name) => readFileSync(at(name), 'utf8') !== files[name] + '\n');
  if (differ.length === 0) return;
  console.error(`${differ.join(' and ')} are not what purse.tolk compiles to.
If you changed purse.tolk: \`npm run build\`, then review and commit what it writes; every purse deployed from now on has another code hash.
If you did not: \`npm ci\` installs the compiler that package-lock.json names; another one makes other code.`);
  process.exitCode = 1;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) await main(process.argv.includes('--check'));
