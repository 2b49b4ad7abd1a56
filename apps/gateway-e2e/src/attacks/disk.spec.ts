import { statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SseProbe, WsProbe, eventually } from '@crossfade/protocol/testing';
import { ApiClient, GatewayHost, SmallDisk, sampleToken } from '@crossfade/test-hosts';
import { afterAll, beforeAll, expect, it } from 'vitest';

const RESERVE = 64;
/** The size of a new database, with room for some batches. */
const SIZE = 176;
/** Close to the largest allowed body. */
const BATCH = JSON.stringify(
  Array.from({ length: 4000 }, (_, index) => ({
    type: 'error',
    message: 'fills the disk',
    data: { filler: `${index} ${'x'.repeat(1100)}` },
  })),
);

let disk: SmallDisk;
let host: GatewayHost;
let admin: ApiClient;
const client = () => new ApiClient(host.url, sampleToken.storefront);
const start = () =>
  GatewayHost.start({
    inside: disk.inside,
    env: { DATA_DIR: disk.path, DATA_DIR_RESERVE_MB: String(RESERVE), WATCHDOG_SECONDS: '20' },
  });
const freeMib = () => {
  const { bavail, bsize } = statfsSync(disk.seenFromOutside);
  return (bavail * bsize) / 1024 / 1024;
};
const saying = (text: string) => host.output.split('\n').filter((line) => line.includes(text)).length;

beforeAll(async () => {
  disk = await SmallDisk.make(SIZE);
  host = await start();
  admin = await ApiClient.login(host.url, 'admin@crossfade.test');
});
afterAll(async () => {
  await host.stop('SIGKILL');
  await disk.remove();
});

it('refuses writes with 507 before the disk is full; reads and streams continue', async () => {
  const probes = [
    await SseProbe.open(host.url, { token: admin.token }),
    await WsProbe.open(host.url, { token: admin.token }),
  ];
  await Promise.all(probes.map((probe) => probe.message('Connected')));
  const statuses: number[] = [];
  await eventually(
    'refusal',
    async () => {
      const { status } = await client().call('POST', '/events', BATCH);
      statuses.push(status);
      return status === 507 || undefined;
    },
    60_000,
  );
  expect(statuses.slice(0, -1).every((status) => status === 202)).toBe(true);
  expect(freeMib()).toBeGreaterThan(RESERVE / 4);

  const others: [string, string, unknown][] = [
    ['POST', '/auth/login', { email: 'member@crossfade.test', password: 'tester' }],
    ['POST', '/organizations', { name: 'No room' }],
    ['POST', '/events', { message: 'one' }],
  ];
  for (const [method, path, body] of others) {
    const refused = await admin.call(method, path, body);
    if (path === '/events') expect([403, 507]).toContain(refused.status);
    else {
      expect(refused.status, path).toBe(507);
      expect(refused.headers.get('content-type')).toContain('application/problem+json');
      expect(((await refused.json()) as { detail: string }).detail).toContain('disk is nearly full');
    }
  }
  // Its first use, whose date cannot be recorded.
  expect((await new ApiClient(host.url, sampleToken.rocket).call('GET', '/projects/config')).status).toBe(
    200,
  );
  expect((await admin.call('GET', '/users/me')).status).toBe(200);
  expect((await admin.call('GET', '/organizations')).status).toBe(200);
  expect((await fetch(`${host.url}/health/ready`)).status).toBe(200);
  const late = await SseProbe.open(host.url, { token: admin.token });
  await late.message('Connected');
  // A round of housekeeping waits without a log line.
  await new Promise((resolve) => setTimeout(resolve, 6000));
  expect(saying('nothing more is stored')).toBe(1);
  expect(saying('"level":50')).toBe(0);
  for (const probe of [...probes, late])
    expect(probe.received.some(({ type }) => type === 'Reconnect')).toBe(false);

  disk.resize(SIZE * 3);
  expect(
    (await client().call('POST', '/events', { type: 'error', message: 'there is room again' })).status,
  ).toBe(202);
  for (const probe of [...probes, late]) {
    await eventually('message of it', () =>
      probe.received.filter(({ type }) => type === 'StackChanged').at(-1),
    );
    probe.close();
  }
  expect(saying('everything is stored again')).toBe(1);
});

it('says at start that the disk is full and nothing is lost, and loses nothing', async () => {
  expect(await host.stop()).toBe(0);
  const left = Math.floor(freeMib());
  writeFileSync(join(disk.seenFromOutside, 'filler'), Buffer.alloc((left - 3) * 1024 * 1024));
  const failed = GatewayHost.spawn({
    inside: disk.inside,
    env: { DATA_DIR: disk.path, DATA_DIR_RESERVE_MB: String(RESERVE), LOG_LEVEL: 'silent' },
  });
  expect(await failed.exited()).toBe(1);
  expect(failed.output).toMatch(
    /^The disk of the data folder [^\n]+ has [234] MB free[^\n]+nothing is lost[^\n]+\.\n$/,
  );
  expect(failed.output).not.toContain('backup');
  disk.resize(SIZE * 6);
  host = await start();
  admin = await ApiClient.login(host.url, 'admin@crossfade.test');
  const [first] = await admin.json<{ id: string; name: string }[]>('GET', '/projects');
  expect(first).toBeDefined();
});

it.runIf(process.env['ATTACK_FULL'] === '1')(
  'is ended by its watchdog if the reserve is too small and the database spins, and keeps what it accepted',
  async () => {
    const small = await SmallDisk.make(SIZE - RESERVE);
    const run = () =>
      GatewayHost.start({
        inside: small.inside,
        env: {
          DATA_DIR: small.path,
          DATA_DIR_RESERVE_MB: '16',
          WATCHDOG_SECONDS: '3',
          INGEST_EVENTS_PER_MINUTE: '0',
        },
      });
    const spinning = await run();
    let accepted = 0;
    let size = SIZE - RESERVE;
    // Between batches, another program takes all but the reserve, until a batch needs more.
    const squeeze = (): void => {
      const { bavail, bsize } = statfsSync(small.seenFromOutside);
      const spare = bavail * bsize - 16.5 * 1024 * 1024;
      if (spare > 0) writeFileSync(join(small.seenFromOutside, `filler-${accepted}`), Buffer.alloc(spare));
    };
    const posts = (async () => {
      for (;;) {
        squeeze();
        const { status } = await new ApiClient(spinning.url, sampleToken.storefront).call(
          'POST',
          '/events',
          BATCH,
        );
        if (status === 202) accepted += 1;
        // The disk grows, as if that program had truncated its log.
        else small.resize((size += 2));
      }
    })();
    const end = await Promise.race([posts, eventually('end', () => hasEnded(spinning), 120_000)]).catch(
      String,
    );
    console.log(`the smallest reserve: ${accepted} batches, then ${end}`);
    expect(spinning.output).toContain('has not turned for 3 seconds');
    await spinning.stop('SIGKILL');
    small.resize(SIZE * 6);
    const next = await run();
    const person = await ApiClient.login(next.url, 'admin@crossfade.test');
    const projects = await person.json<{ id: string; name: string }[]>('GET', '/projects');
    const id = projects.find(({ name }) => name === 'Storefront')?.id;
    const [stack] = await person.json<{ total_occurrences: number }[]>('GET', `/projects/${id}/stacks`);
    expect(stack?.total_occurrences ?? 0).toBeGreaterThanOrEqual(accepted * 4000);
    await next.stop('SIGKILL');
    await small.remove();
  },
);

const hasEnded = ({ pid }: GatewayHost): string | undefined => {
  try {
    process.kill(pid, 0);
    return undefined;
  } catch {
    return 'its end';
  }
};
