// A real enclave, a plain process, and a policy for it.
import { spawn, execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, openSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { root } from './questions.mjs';

const place = (variable, otherwise) => process.env[variable] ?? join(root, otherwise);
const tools = place('CHRYSALIS_TOOLS', 'target/debug');
const image = place('CHRYSALIS_IMAGE', 'build/cpu');
const configuration = place('CHRYSALIS_CONFIGURATION', 'build/demo.toml');
const enclave = join(place('CHRYSALIS_BINARIES', 'target/image/x86_64-unknown-linux-gnu/release'), 'chrysalis-enclave');
const BOOT_LIMIT = 120_000;

/** Runs the relying party's command line, and gives what it prints. */
export const chrysalis = (...words) => execFileSync(join(tools, 'chrysalis'), words, { encoding: 'utf8', maxBuffer: 2 ** 24 });

/** Boots one: its `port`, a `policy` that it meets, and `stop`. With the simulated vendors of another, by the folder of its state. */
export async function boot(vendors) {
  const state = mkdtempSync(join(tmpdir(), 'chrysalis-node-'));
  const shared = vendors ? readdirSync(vendors).filter((name) => /^simulated-(amd|nvidia)$/.test(name)) : [];
  for (const name of shared) cpSync(join(vendors, name), join(state, name), { recursive: true });
  const [ready, log] = [join(state, 'ready.json'), openSync(join(state, 'host.log'), 'w')];
  const host = spawn(join(tools, 'chrysalis-host'), [
    'run', image, '--configuration', configuration, '--disks', place('CHRYSALIS_DISKS', 'build/disks'), '--without-vm', enclave,
    '--listen', '127.0.0.1:0', '--metrics', '127.0.0.1:0', '--state', state, '--ready-file', ready,
  ], { stdio: ['ignore', log, log] });
  const stop = async () => {
    if (host.exitCode === null) {
      const gone = new Promise((resolve) => { host.once('exit', resolve); });
      host.kill('SIGINT');
      await gone;
    }
    rmSync(state, { recursive: true, force: true });
  };
  for (const started = Date.now(); !existsSync(ready) || readFileSync(ready).length === 0; await sleep(50)) {
    if (host.exitCode !== null || Date.now() - started > BOOT_LIMIT) {
      const said = readFileSync(join(state, 'host.log'), 'utf8');
      await stop();
      throw new Error(`the enclave did not come up:\n${said}`);
    }
  }
  const port = Number(JSON.parse(readFileSync(ready)).listen.split(':')[1]);
  const policy = chrysalis('policy', 'init', '--image', image, '--vcpus', '2', '--configuration', configuration,
    '--minimum-tcb', join(root, 'measurements/releases/minimum-tcb.toml'), '--simulated-root', join(state, 'simulated-roots.pem'));
  return { port, policy, state, stop };
}
