import { SseProbe, WsProbe, eventually, type Probe } from '@crossfade/protocol/testing';
import { ApiClient, makeMember } from '@crossfade/test-hosts';
import { percentile } from './figures.ts';

const transports = { SSE: SseProbe, WebSocket: WsProbe };
const MEMBER = 'member@crossfade.test';

/**
 * The time from just before a token is deleted to `Revoked` on its stream, and to the stream's end; and from just before a
 * member is removed to the message that takes the organization from the member's stream. `streams`: where streams are
 * opened, if on another replica.
 */
export async function measureRevocation(
  url: string,
  samples: number,
  streams = url,
): Promise<Record<string, unknown>[]> {
  const admin = await ApiClient.login(url, 'admin@crossfade.test');
  const rows = [];
  for (const [transport, opener] of Object.entries(transports)) {
    const tokens = await revokeTokens(admin, samples, (token) => opener.open(streams, { token }));
    rows.push({
      'what is deleted': 'a token',
      transport,
      'to its message p50, ms': percentile(tokens.told, 0.5),
      'p99, ms': percentile(tokens.told, 0.99),
      "to the stream's end p99, ms": percentile(tokens.ended, 0.99),
    });
    const member = await ApiClient.login(url, MEMBER);
    const removed = await removeMember(admin, member, samples, (token) => opener.open(streams, { token }));
    rows.push({
      'what is deleted': 'a member',
      transport,
      'to its message p50, ms': percentile(removed, 0.5),
      'p99, ms': percentile(removed, 0.99),
    });
  }
  return rows;
}

type Open = (token: string) => Promise<Probe>;

async function revokeTokens(
  admin: ApiClient,
  samples: number,
  open: Open,
): Promise<{ told: number[]; ended: number[] }> {
  const [project] = await admin.json<{ id: string }[]>('GET', '/projects');
  const told: number[] = [];
  const ended: number[] = [];
  for (let sample = 0; sample < samples; sample += 1) {
    const { id, token } = await admin.json<{ id: string; token: string }>(
      'POST',
      `/projects/${project?.id}/tokens`,
      { scopes: ['push:subscribe'] },
    );
    const probe = await open(token);
    await probe.message('Connected');
    const end = probe.end().then(() => Date.now());
    const begun = Date.now();
    await admin.call('DELETE', `/tokens/${id}`);
    told.push((await received(probe, 'Revoked')) - begun);
    ended.push((await end) - begun);
  }
  return { told, ended };
}

async function removeMember(
  admin: ApiClient,
  member: ApiClient,
  samples: number,
  open: Open,
): Promise<number[]> {
  const [organization] = await member.json<{ id: string }[]>('GET', '/organizations');
  const id = organization?.id ?? '';
  const told: number[] = [];
  for (let sample = 0; sample < samples; sample += 1) {
    const probe = await open(member.token ?? '');
    await probe.message('Connected');
    const begun = Date.now();
    await admin.json('DELETE', `/organizations/${id}/users/${MEMBER}`);
    told.push((await received(probe, 'UserMembershipChanged')) - begun);
    probe.close();
    await makeMember(admin, id, { email: MEMBER, as: member });
  }
  return told;
}

async function received(probe: Probe, expected: string): Promise<number> {
  const { at } = await eventually(expected, () => probe.received.find(({ type }) => type === expected));
  return at;
}
