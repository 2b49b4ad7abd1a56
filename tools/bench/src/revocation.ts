import { SseProbe, WsProbe, eventually } from '@crossfade/protocol/testing';
import { ApiClient } from '@crossfade/test-hosts';
import { percentile } from './figures.ts';

const transports = { SSE: SseProbe, WebSocket: WsProbe };

/** The time from just before the DELETE of a token to `Revoked` on its stream, and to the stream's end. */
export async function measureRevocation(url: string, samples: number): Promise<Record<string, unknown>[]> {
  const admin = await ApiClient.login(url, 'admin@crossfade.test');
  const [project] = await admin.json<{ id: string }[]>('GET', '/projects');
  const rows = [];
  for (const [transport, Probe] of Object.entries(transports)) {
    const told: number[] = [];
    const ended: number[] = [];
    for (let sample = 0; sample < samples; sample += 1) {
      const { id, token } = await admin.json<{ id: string; token: string }>(
        'POST',
        `/projects/${project?.id}/tokens`,
        { scopes: ['push:subscribe'] },
      );
      const probe = await Probe.open(url, { token });
      await probe.message('Connected');
      const end = probe.end().then(() => Date.now());
      const begun = Date.now();
      await admin.call('DELETE', `/tokens/${id}`);
      const revoked = await eventually('Revoked', () =>
        probe.received.find(({ type }) => type === 'Revoked'),
      );
      told.push(revoked.at - begun);
      ended.push((await end) - begun);
    }
    rows.push({
      transport,
      'DELETE to Revoked p50, ms': percentile(told, 0.5),
      'p99, ms': percentile(told, 0.99),
      'to its end p99, ms': percentile(ended, 0.99),
    });
  }
  return rows;
}
