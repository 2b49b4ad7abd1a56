// Runs an .http file: node run.mjs FILE [--host URL]. It exits with 1 if a request
// fails or a stream does not begin. Runners from npm wait for the end of a response, and a stream has none; so this one
// reads the little that our file uses: "@name = value", "# @name", "{{name}}", "{{request.response.body.$.path}}".
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { createParser } from 'eventsource-parser';

const STREAM_MS = 10_000;

const { values, positionals } = parseArgs({ allowPositionals: true, options: { host: { type: 'string' } } });
const variables = new Map(values.host === undefined ? [] : [['host', values.host]]);
const bodies = new Map();

for (const part of readFileSync(positionals[0] ?? 'push.http', 'utf8').split(/^###/m)) {
  for (const [, name, value] of part.matchAll(/^@(\w+) *= *(\S.*|)$/gm)) {
    if (!variables.has(name)) variables.set(name, value.trim());
  }
  const request = read(part);
  if (request === undefined) continue;
  const { ok, said } = await send(request);
  console.log(`${ok ? 'ok    ' : 'FAILED'} ${request.title}: ${said}`);
  if (!ok) process.exit(1);
}

function read(part) {
  const [head, ...body] = part.split(/\r?\n\r?\n/);
  const rows = head.split(/\r?\n/);
  const first = rows.findIndex((row) => /^(GET|POST|DELETE) /.test(row));
  if (first === -1) return undefined;
  const [method, url] = fill(rows[first]).split(' ');
  const headers = rows
    .slice(first + 1)
    .filter(Boolean)
    .map((row) => fill(row).split(/: */, 2));
  return {
    title: rows[0].trim(),
    name: /^# @name (\w+)$/m.exec(head)?.[1],
    url,
    init: { method, headers, ...(body.join('').trim() === '' ? {} : { body: fill(body.join('\n\n')) }) },
  };
}

function fill(text) {
  return text.replace(/\{\{(\w+)(?:\.response\.body\.\$\.(\w+))?\}\}/g, (whole, name, field) => {
    const value = field === undefined ? variables.get(name) : bodies.get(name)?.[field];
    if (value === undefined) throw new Error(`${whole} has no value yet`);
    return value;
  });
}

async function send({ name, url, init }) {
  const abort = new AbortController();
  const late = setTimeout(() => abort.abort(), STREAM_MS);
  try {
    const response = await fetch(url, { ...init, signal: abort.signal });
    if (response.headers.get('content-type')?.startsWith('text/event-stream')) {
      const event = await firstEvent(response);
      return { ok: event?.includes('"Connected"') ?? false, said: event ?? 'the stream said nothing' };
    }
    const text = await response.text();
    if (name !== undefined) bodies.set(name, JSON.parse(text));
    return { ok: response.ok, said: String(response.status) };
  } catch (error) {
    return { ok: false, said: error.cause?.message ?? error.message };
  } finally {
    clearTimeout(late);
    abort.abort();
  }
}

async function firstEvent(response) {
  let first;
  const parser = createParser({ onEvent: ({ data }) => (first ??= data) });
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    parser.feed(chunk);
    if (first !== undefined) return first;
  }
  return undefined;
}
