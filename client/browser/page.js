// The page: files in, the verdict out, clause by clause. What it shows of a file is text, never markup.

const KINDS = {
  bundle: {
    files: ['bundle', 'policy', 'cert', 'crl', 'collateral', 'rim', 'ocsp', 'statement'],
    words: { spki: 'The peer’s key, for a bare bundle (hex)', nonce: 'What it was asked, for a bare bundle (hex)', exporter: 'The connection’s exporter, for a bare bundle (hex)', agreement: 'How its keys were agreed, for a bare bundle' },
    without: ['crl', 'ocsp', 'rim', 'fwid', 'event-log', 'freshness', 'session'],
  },
  snp: {
    files: ['report', 'cert', 'crl', 'policy', 'statement', 'tpm_quote', 'tpm_signature', 'tpm_pcrs'],
    words: { report_data: 'What the guest was asked to put in (hex)', nonce: 'What its virtual TPM was asked (hex)' },
    without: ['crl', 'freshness', 'pcrs'],
  },
  tdx: {
    files: ['quote', 'collateral', 'event_log', 'hcl_report', 'policy', 'statement', 'tpm_quote', 'tpm_signature', 'tpm_pcrs'],
    words: { report_data: 'What the guest was asked to put in (hex)', nonce: 'What its virtual TPM was asked (hex)' },
    without: ['event-log', 'freshness', 'pcrs'],
  },
  nvidia: {
    files: ['report', 'chain', 'switches', 'rim', 'ocsp', 'policy'],
    words: { nonce: 'What the GPUs were asked (64 hex digits)' },
    without: ['ocsp', 'rim', 'fwid'],
  },
  receipt: {
    files: ['receipt', 'evidence', 'policy', 'request', 'answer', 'cert', 'crl', 'collateral', 'rim', 'ocsp', 'statement'],
    words: {},
    without: [],
  },
};
// No file of a question is longer.
const MAX_FILE = 32 * 1024 * 1024;
const SAID = {
  trusted: ['ok', 'Trusted: this is what your policy wants'],
  verified: ['ok', 'Verified: the enclave signed this receipt'],
  genuine: ['warn', 'Genuine, and no policy says whether it is wanted'],
  rejected: ['bad', 'Rejected'],
};

const of = (id) => document.getElementById(id);
let dropped = [];

function make(tag, text, attributes = {}) {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

function bytesOf(text) {
  const binary = atob(text.trim());
  const bytes = new Uint8Array(binary.length);
  for (let place = 0; place < binary.length; place += 1) bytes[place] = binary.charCodeAt(place);
  return bytes;
}

async function take(files) {
  for (const file of files) {
    if (file.size > MAX_FILE) {
      say('bad', `${file.name} is too long`, `No file of evidence has more than ${MAX_FILE / 1024 / 1024} MiB.`);
      return;
    }
    const bytes = new Uint8Array(await file.arrayBuffer());
    const { is, kind, name } = await recognise(bytes);
    dropped.push({ label: file.name, bytes, is, kind, role: name });
  }
  await judge();
}

// The question that the files begin, if they begin one.
function question() {
  const kinds = [...new Set(dropped.map((file) => file.kind).filter(Boolean))];
  // A receipt comes with the evidence of its epoch, and that may be a bundle.
  return kinds.includes('receipt') ? ['receipt'] : kinds;
}

function draw(kind) {
  of('none').hidden = dropped.length > 0;
  of('files').replaceChildren(...dropped.map((file) => {
    const row = make('li');
    const role = make('select', undefined, { 'aria-label': `What ${file.label} is used as` });
    const roles = kind ? KINDS[kind].files : [];
    if (!roles.includes(file.role)) role.append(make('option', 'not used', { value: '' }));
    for (const name of roles) role.append(make('option', name.replace('_', ' '), { value: name }));
    role.value = roles.includes(file.role) ? file.role : '';
    role.addEventListener('change', () => { file.role = role.value; judge(); });
    const gone = make('button', 'Remove', { type: 'button', 'aria-label': `Remove ${file.label}` });
    gone.addEventListener('click', () => { dropped = dropped.filter((other) => other !== file); judge(); });
    row.append(make('span', file.label), make('span', file.is, { class: 'what' }), role, gone);
    return row;
  }));
}

let asking = null;
function drawQuestions(kind) {
  of('questions').hidden = !kind;
  if (!kind || asking === kind) return;
  asking = kind;
  of('words').replaceChildren(...Object.entries(KINDS[kind].words).map(([name, words]) => {
    const label = make('label', `${words} `);
    const input = make('input', undefined, { 'data-word': name, autocomplete: 'off', spellcheck: 'false' });
    input.addEventListener('change', judge);
    label.append(input);
    return label;
  }));
  const without = KINDS[kind].without.map((name) => {
    const label = make('label');
    const input = make('input', undefined, { type: 'checkbox', value: name });
    input.addEventListener('change', judge);
    label.append(input, name.replace('-', ' '));
    return label;
  });
  of('without').replaceChildren(...(without.length ? [make('span', 'Go without:', { class: 'quiet' }), ...without] : []));
}

function put(kind) {
  const { files } = KINDS[kind], asked = {};
  for (const { role, bytes } of dropped) if (files.includes(role)) (asked[role] ??= []).push(bytes);
  for (const input of of('words').querySelectorAll('input')) if (input.value.trim()) asked[input.dataset.word] = input.value.trim().toLowerCase();
  // A name, not hex.
  const agreement = of('words').querySelector('[data-word=agreement]');
  if (agreement?.value.trim()) asked.agreement = agreement.value.trim();
  asked.without = [...of('without').querySelectorAll('input:checked')].map((input) => input.value);
  return asked;
}

function moment() {
  const text = of('at').value.trim();
  if (!text) return Date.now() / 1000;
  const at = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2})?Z$/.test(text) ? Date.parse(text) : NaN;
  if (Number.isNaN(at)) throw new NoVerdict('write the time as 2026-12-01T12:00:00Z');
  return at / 1000;
}

async function judge() {
  const kinds = question();
  const kind = kinds.length === 1 ? kinds[0] : null;
  // A chain of certificates has another name where GPUs are asked about.
  if (kind === 'nvidia') for (const file of dropped) if (file.role === 'cert') file.role = 'chain';
  draw(kind);
  drawQuestions(kind);
  if (!dropped.length) return say('none', 'Nothing is verified yet', '');
  if (kinds.length > 1) return say('none', 'One at a time', `These files begin more than one question: ${kinds.join(', ')}. Remove what is not about the same machine.`);
  if (!kind) return say('none', 'There is no evidence among these files', 'Drop a saved session, a report, a quote, the evidence of GPUs, or a receipt.');
  try {
    show(kind, await ask(kind, put(kind), moment()));
  } catch (error) {
    if (!(error instanceof NoVerdict)) throw error;
    say('none', 'There is no verdict', error.message);
  }
}

function say(state, verdict, detail) {
  of('verdict').dataset.state = state;
  of('verdict').textContent = verdict;
  of('detail').textContent = detail;
  of('failures').hidden = true;
  of('clauses').hidden = true;
  of('simulated').hidden = true;
}

function show(kind, text) {
  const told = JSON.parse(text);
  const evidence = kind === 'receipt' ? told.evidence : told;
  const [state, words] = SAID[told.verdict];
  const until = evidence?.until ? `Good until ${evidence.until}.` : '';
  say(evidence?.simulated && state === 'ok' ? 'warn' : state, told.verdict === 'rejected' ? `${words}: ${told.code}` : words, told.verdict === 'rejected' ? '' : until);
  of('simulated').hidden = !evidence?.simulated;
  const failures = told.failures ?? (told.code ? [told] : []);
  of('failures').hidden = failures.length === 0;
  of('failures').replaceChildren(...failures.map(({ code, detail, hint }) => {
    const line = make('li');
    line.append(make('strong', code), `: ${detail}. `, make('span', hint, { class: 'quiet' }));
    return line;
  }));
  of('clauses').hidden = false;
  of('checks').replaceChildren(...(evidence?.checks ?? []).map(({ step, name, outcome, detail }) => {
    const row = make('tr', undefined, { 'data-outcome': outcome });
    row.append(make('td', step), make('td', name), make('td', outcome.replace('_', ' ')), make('td', detail));
    return row;
  }));
  of('claims').textContent = JSON.stringify(kind === 'receipt' ? { receipt: told.receipt, claims: evidence?.claims ?? null } : told.claims, null, 2);
  of('json').textContent = text;
}

async function begin() {
  try {
    await load(bytesOf(of('module').textContent));
  } catch (error) {
    return say('bad', 'This page cannot verify anything here', error instanceof NoVerdict ? error.message : 'Use a newer browser, or `chrysalis verify`.');
  }
  of('pick').addEventListener('change', async (event) => {
    await take([...event.target.files]);
    event.target.value = '';
  });
  of('at').addEventListener('change', judge);
  for (const name of ['dragover', 'dragleave', 'drop']) {
    document.addEventListener(name, (event) => {
      event.preventDefault();
      of('drop').classList.toggle('over', name === 'dragover');
      if (name === 'drop') take([...event.dataTransfer.files]);
    });
  }
  await judge();
  document.documentElement.dataset.ready = 'yes';
}
begin();
