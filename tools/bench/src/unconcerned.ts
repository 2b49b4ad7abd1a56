import { ApiClient, sampleToken, type GatewayHost } from '@crossfade/test-hosts';
import { cpuOf } from './contestants.ts';
import { round } from './figures.ts';

/** Messages of one request. */
const BATCH = 100;
const PAYLOAD = 250;
/** How long the last messages may take to be read, milliseconds. */
const SETTLE_MS = 500;

/**
 * What a record costs a replica that has nobody for it, and how many a second a core of it can read. Every replica reads
 * every record, so that is the ceiling of an installation.
 */
export async function measureUnconcerned(
  publisher: GatewayHost,
  idle: GatewayHost,
  seconds: number,
): Promise<Record<string, unknown>[]> {
  const admin = await ApiClient.login(publisher.url, 'admin@crossfade.test');
  const [organization] = await admin.json<{ id: string }[]>('GET', '/organizations');
  const service = new ApiClient(publisher.url, sampleToken.service);
  const batch = Array.from({ length: BATCH }, (_, index) => ({
    type: 'StackChanged',
    message: {
      type: 'Stack',
      organization_id: organization?.id,
      change_type: 1,
      data: { text: `${index} ${'x'.repeat(PAYLOAD)}` },
    },
  }));
  await spend(seconds, () => service.json('POST', '/push/messages', batch));
  const restBefore = cpuOf(idle.pid);
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  const restPerSecond = (cpuOf(idle.pid) - restBefore) / seconds;
  const begun = performance.now();
  const before = cpuOf(idle.pid);
  const requests = await spend(seconds, () => service.json('POST', '/push/messages', batch));
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  const took = (performance.now() - begun) / 1000;
  const spent = cpuOf(idle.pid) - before - restPerSecond * took;
  const records = requests * BATCH;
  return [
    {
      records,
      'records a second': Math.round(records / took),
      'CPU for a record, µs': round(spent / records),
      'ceiling, records a second and core': Math.round(1_000_000 / (spent / records)),
    },
  ];
}

async function spend(seconds: number, work: () => Promise<unknown>): Promise<number> {
  const until = performance.now() + seconds * 1000;
  let times = 0;
  for (; performance.now() < until; times += 1) await work();
  return times;
}
