import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { eventually } from '@crossfade/protocol/testing';
import { ApiClient, freePort } from '@crossfade/test-hosts';
import { afterEach, expect, it } from 'vitest';
import { PageShell } from './page-shell.ts';

const clone = fileURLToPath(new URL('../../..', import.meta.url));

/** The blocks of commands of "Try it on one machine", and the ports that they use, by name. */
async function commandsOfPage(): Promise<{ blocks: string[]; ports: Map<string, number> }> {
  const page = readFileSync(`${clone}/docs/operations/replicas.md`, 'utf8');
  const section = page.split(/^## /m).find((text) => text.startsWith('Try it on one machine\n')) ?? '';
  const blocks = [...section.matchAll(/^```sh\n([^]*?)^```$/gm)].map(([, commands = '']) => commands);
  const ports = new Map<string, number>();
  for (const [, name = ''] of blocks[0]?.matchAll(/\b([A-Z_]+)=\d+\b/g) ?? [])
    ports.set(name, await freePort());
  for (const [name, port] of ports)
    blocks[0] = blocks[0]?.replace(RegExp(`\\b${name}=\\d+`), `${name}=${port}`) ?? '';
  return { blocks, ports };
}

let shell: PageShell | undefined;
afterEach(() => shell?.stop());

it('runs two replicas on one machine with the commands of the page, and stops them', async () => {
  const { blocks, ports } = await commandsOfPage();
  expect([...ports.keys()]).toEqual([
    'PROXY',
    'ONE',
    'OTHER',
    'METRICS_OF_ONE',
    'METRICS_OF_OTHER',
    'POSTGRES',
    'REDIS',
  ]);
  const urlOf = (name: string) => `http://127.0.0.1:${ports.get(name)}`;
  shell = new PageShell(clone);
  const stopping = blocks.pop() ?? '';
  let printed = '';
  for (const commands of blocks) printed = await shell.run(commands);
  for (const name of ['ONE', 'OTHER', 'PROXY']) {
    const response = await fetch(`${urlOf(name)}/health/ready`);
    expect(await response.json()).toEqual({ status: 'ok', checks: { database: 'ok', redis: 'ok' } });
  }
  for (const [name, replica] of [
    ['METRICS_OF_ONE', 'one'],
    ['METRICS_OF_OTHER', 'other'],
  ] as const) {
    expect(await (await fetch(`${urlOf(name)}/metrics`)).text()).toContain(`replica="${replica}"`);
  }
  // The stream is on one of them, and an error was posted to each.
  const admin = await ApiClient.login(urlOf('ONE'), 'admin@crossfade.test');
  const replica = await eventually('the stream', async () => {
    const path = '/push/connections?client=try-it';
    return (await admin.json<{ replica: string }[]>('GET', path))[0]?.replica;
  });
  expect(['one', 'other']).toContain(replica);
  const events = [...printed.matchAll(/^data: (\{"type":"PersistentEventChanged".*\})$/gm)].map(
    ([, data = '']) => (JSON.parse(data) as { message: { id: string } }).message.id,
  );
  expect(new Set(events).size).toBe(2);
  await shell.run(stopping);
  await shell.ended();
});
