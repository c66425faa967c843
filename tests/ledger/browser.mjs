// Debian's Chromium, driven by playwright-core from the folder CHRYSALIS_NODE. It asks nobody but the test's own server.
import { createRequire } from 'node:module';

const folder = process.env.CHRYSALIS_NODE ?? new URL('../../build/node', import.meta.url).pathname;
const { chromium } = createRequire(`${folder}/`)('playwright-core');
export const launch = () => chromium.launch({
  executablePath: process.env.CHRYSALIS_CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});
export const DESKTOP = { width: 1440, height: 1000 }, PHONE = { width: 360, height: 740 };
