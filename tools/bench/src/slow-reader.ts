import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { eventually } from '@crossfade/protocol/testing';
import { ApiClient, StreamLoad, sampleToken, type GatewayHost } from '@crossfade/test-hosts';
import { round } from './figures.ts';

/** Concurrent POSTs. */
const BURST = 50;
/** The pause between bursts, in milliseconds. */
const PAUSE_MS = 100;
/** Twice the critical messages that a window retains. A short run, whose memory says nothing, fills less of it. */
const WARM_UP = 2000;
/** The most characters that a notification may have. */
const TEXT = 'x'.repeat(1000);

export interface SlowReaderSize {
  readonly streams: number;
  readonly messages: number;
}

/**
 * Sends the same bursts to the same streams, without and with one more client that never reads: what the others notice,
 * and what it costs. A delay is the time from the message's date, which is set before it is stored, to the client.
 */
export async function measureSlowReader(
  { url, pid }: GatewayHost,
  { streams, messages }: SlowReaderSize,
): Promise<Record<string, unknown>[]> {
  const admin = await ApiClient.login(url, 'admin@crossfade.test');
  const load = new StreamLoad();
  try {
    await load.open(url, [sampleToken.storefrontPush], streams);
    await load.measure();
    // Fills the window, so that later growth is not that of the records retained for resume.
    const warmUp = Math.min(WARM_UP, messages);
    await burst(admin, warmUp);
    await settledDelays(load, streams * warmUp);
    const atFirst = residentMiB(pid);
    await burst(admin, messages);
    const alone = await settledDelays(load, streams * messages);
    const grownAlone = residentMiB(pid) - atFirst;

    const open = async () => (await admin.json<{ client: string }[]>('GET', '/push/connections?limit=1'))[0];
    const reader = connect(Number(new URL(url).port), '127.0.0.1');
    reader.on('error', () => undefined);
    reader.pause();
    reader.write(
      `GET /api/v2/push?client=never/reads HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer ${admin.token}\r\n\r\n`,
    );
    // The list begins with the newest.
    await eventually('reader', async () => (await open())?.client === 'never/reads' || undefined);
    const before = residentMiB(pid);
    const begun = Date.now();
    let closedAfter: number | undefined;
    const watching = eventually(
      'end of the reader',
      async () => (await open())?.client !== 'never/reads' || undefined,
      600_000,
    ).then(() => (closedAfter = Date.now() - begun));
    await burst(admin, messages);
    const beside = await settledDelays(load, streams * messages);
    const grown = residentMiB(pid) - before;
    await watching;
    reader.destroy();
    return [
      {
        streams,
        messages,
        reader: 'none',
        'delay p50, ms': alone.p50,
        'p99, ms': alone.p99,
        'memory grown, MiB': round(grownAlone),
      },
      {
        streams,
        messages,
        reader: 'never reads',
        'delay p50, ms': beside.p50,
        'p99, ms': beside.p99,
        'p99, ratio': round(beside.p99 / alone.p99),
        'memory grown, MiB': round(grown),
        'closed as slow after, s': round((closedAfter ?? Number.NaN) / 1000),
      },
    ];
  } finally {
    await load.stop();
  }
}

async function burst(admin: ApiClient, messages: number): Promise<void> {
  for (let sent = 0; sent < messages; sent += BURST) {
    await Promise.all(
      Array.from({ length: Math.min(BURST, messages - sent) }, () =>
        admin.json('POST', '/notifications/release?critical=false', { value: TEXT }),
      ),
    );
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

/** Resolves when every stream has every message: critical ones are never merged. */
async function settledDelays(load: StreamLoad, deliveries: number) {
  const delays = await load.measure(deliveries);
  if (delays.deliveries !== deliveries) {
    throw new Error(`${delays.deliveries} deliveries, not ${deliveries}`);
  }
  return delays;
}

/** Memory of the process, as the operating system counts it. */
function residentMiB(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;
}
