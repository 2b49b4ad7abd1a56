import { SseProbe, WsProbe, eventually } from '@crossfade/protocol/testing';
import { ApiClient, GatewayHost, dropDatabase, newDatabase } from '@crossfade/test-hosts';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';

let host: GatewayHost;
let databaseUrl: string;
let member: ApiClient;
beforeAll(async () => {
  databaseUrl = newDatabase(inject('postgresPort'));
  host = await GatewayHost.start({ databaseUrl, env: { LOG_LEVEL: 'info', TRUST_PROXY: '1' } });
  member = await ApiClient.login(host.url, 'member@crossfade.test');
});
afterAll(() => host.stop('SIGKILL'));

/** The lines that the gateway writes while something happens, and for a while after it. */
async function linesOf(happens: () => Promise<unknown>, afterMs = 0): Promise<string[]> {
  const before = host.output.length;
  await happens();
  await new Promise((resolve) => setTimeout(resolve, afterMs));
  return host.output.slice(before).split('\n').filter(Boolean);
}
/** An attacker's address: its failures do not count against the others. */
const headers = { 'X-Forwarded-For': '192.0.2.1' };

const times = (many: number, what: (index: number) => Promise<unknown>) =>
  Promise.all(Array.from({ length: many }, (_, index) => what(index)));

it('has one line for five hundred refused streams, with the reasons', async () => {
  const lines = await linesOf(() =>
    times(500, async (index) => (await SseProbe.open(host.url, { token: `bad-${index}`, headers })).close()),
  );
  await eventually('summary', () => /refused \(\w+\) \d+/.test(host.output) || undefined, 15_000);
  expect(lines.length).toBeLessThan(3);
  const said = [...host.output.matchAll(/refused \((unauthorized|limit)\) (\d+)/g)];
  expect(said.reduce((sum, [, , count]) => sum + Number(count), 0)).toBe(500);
});

it('has none for clients that break the WebSocket protocol', async () => {
  const lines = await linesOf(
    () =>
      times(8, async () => {
        const probe = await WsProbe.open(host.url, { token: member.token });
        probe.socket.send('x'.repeat(5000));
        await probe.end();
      }),
    200,
  );
  expect(lines.filter((line) => !line.includes('streams are open'))).toEqual([]);
});

it('has five for an unreachable database, however many requests there are, and counts the others', async () => {
  dropDatabase(databaseUrl);
  const lines = await linesOf(async () => {
    // Each has its own token: the refusal of a known token comes from memory.
    for (let round = 0; round < 5; round += 1)
      await times(40, async (index) => {
        const { response } = await SseProbe.open(host.url, { token: `any-${round}-${index}` });
        expect([503, 429]).toContain(response.status);
      });
  });
  const failures = lines.filter((line) => line.includes('While admitting a stream'));
  expect(failures).toHaveLength(5);
  expect(lines.join('\n')).not.toContain('any-');
});
