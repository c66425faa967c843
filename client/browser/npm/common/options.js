// What callers hand over, checked: a name that is none is a mistake that must not pass for a default.
const COLLATERAL = ['cert', 'crl', 'collateral', 'rim', 'ocsp', 'ocsp_nonce', 'statement'];

/** The same object, if it has no other names than these. */
export function known(object, names, what) {
  const other = Object.keys(object).find((name) => !names.includes(name));
  if (other !== undefined) throw new TypeError(`there is no ${what} \`${other}\`; there are ${names.join(', ')}`);
  return object;
}

/** Milliseconds for each of these names: what the caller says, or else the usual. */
export function deadlined(deadlines = {}, usual) {
  known(deadlines, Object.keys(usual), 'deadline');
  for (const [name, limit] of Object.entries(deadlines)) {
    if (!(limit > 0)) throw new TypeError(`the deadline \`${name}\` is a number of milliseconds`);
  }
  return { ...usual, ...deadlines };
}

/** What brings the vendors' files for a bundle. Nothing that somebody brings may change what is asked. */
export function bringing(collateral = {}) {
  if (typeof collateral !== 'function') known(collateral, COLLATERAL, 'collateral');
  const bring = typeof collateral === 'function' ? collateral : () => collateral;
  return async (bundle) => known({ ...await bring(bundle) }, COLLATERAL, 'collateral');
}
