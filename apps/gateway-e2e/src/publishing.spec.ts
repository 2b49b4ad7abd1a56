import { eventually, type Probe } from '@crossfade/protocol/testing';
import { ApiClient, sampleToken } from '@crossfade/test-hosts';
import { beforeAll, expect, it } from 'vitest';
import { onEachInstallation } from './databases.ts';
import { transports } from './transports.ts';

interface Published {
  readonly ids: readonly string[];
}

onEachInstallation('publishing by other services', { API_THROTTLE_PER_MINUTE: '0' }, (gateway) => {
  let acme: string;
  let globex: string;
  let member: ApiClient;
  let admin: ApiClient;
  let everywhere: ApiClient;
  /** Publishes to Acme only. */
  let ofAcme: ApiClient;
  beforeAll(async () => {
    const { url } = gateway();
    admin = await ApiClient.login(url, 'admin@crossfade.test');
    member = await ApiClient.login(url, 'member@crossfade.test');
    everywhere = new ApiClient(url, sampleToken.service);
    const organizations = await admin.json<{ id: string; name: string }[]>('GET', '/organizations');
    const idOf = (wanted: string) => organizations.find(({ name }) => name === wanted)?.id ?? '';
    [acme, globex] = [idOf('Acme'), idOf('Globex')];
    const { token } = await admin.json<{ token: string }>('POST', '/tokens', {
      scopes: ['push:publish'],
      organization_id: acme,
    });
    ofAcme = new ApiClient(url, token);
  });

  const changed = (organization: string, said: string) => ({
    type: 'StackChanged',
    message: { type: 'Stack', organization_id: organization, change_type: 1, data: { said } },
  });
  const post = (as: ApiClient, body: unknown, key?: string) =>
    as.call('POST', '/push/messages', body, key === undefined ? {} : { 'Idempotency-Key': key });
  const said = (probe: Probe) =>
    probe.received.flatMap(({ type, message }) =>
      type === 'StackChanged' ? [(message as { data: { said: string } }).data.said] : [],
    );

  /** Opens streams of a member of Acme, and of its administrator, who is in Globex too, on both transports. */
  async function listen(): Promise<{ members: Probe[]; admins: Probe[]; close: () => void }> {
    const open = (token: string | undefined) =>
      Promise.all(transports.map((transport) => transport.open(gateway().url, { token })));
    const [members, admins] = [await open(member.token), await open(admin.token)];
    const all = [...members, ...admins];
    await Promise.all(all.map((probe) => probe.message('Connected')));
    return { members, admins, close: () => all.forEach((probe) => probe.close()) };
  }
  /** When everyone has this, everything before it would have arrived. */
  async function last(probes: readonly Probe[], text: string): Promise<void> {
    await post(everywhere, {
      type: 'SystemNotification',
      message: { date: '2026-01-01T00:00:00Z', message: text },
    });
    for (const probe of probes) await probe.message('SystemNotification', ({ message }) => message === text);
  }

  it('reaches its audience, in order, on both transports', async () => {
    const { members, admins, close } = await listen();
    const response = await post(everywhere, [
      changed(acme, 'one'),
      changed(globex, 'two'),
      changed(acme, 'three'),
    ]);
    expect(response.status).toBe(202);
    expect(new Set(((await response.json()) as Published).ids).size).toBe(3);
    await last([...members, ...admins], 'end of order');
    for (const probe of members) expect(said(probe)).toEqual(['one', 'three']);
    for (const probe of admins) expect(said(probe)).toEqual(['one', 'two', 'three']);
    close();
  });

  it('is all or nothing', async () => {
    const { members, close } = await listen();
    const cases: [number, unknown][] = [
      [400, [changed(acme, 'lost'), { type: 'NoSuchType', message: {} }]],
      [400, [changed(acme, 'lost'), { type: 'PlanOverage', message: { organization_id: acme } }]],
      [400, [changed(acme, 'lost'), 'no message']],
      [400, []],
      [400, Array.from({ length: 101 }, () => changed(acme, 'lost'))],
      [403, [changed(acme, 'lost'), membershipOf(acme)]],
    ];
    for (const [status, body] of cases) expect((await post(everywhere, body)).status).toBe(status);
    const faults = await post(everywhere, cases[1]?.[1]);
    expect(await faults.json()).toMatchObject({
      errors: [{ path: '1.message.is_hourly', message: expect.any(String) as string }],
    });
    await last(members, 'end of all or nothing');
    for (const probe of members) expect(said(probe)).toEqual([]);
    close();
  });

  it('changes nobody’s rights, and a token of one organization reaches no other', async () => {
    const { members, admins, close } = await listen();
    const tokens = await member.json<{ id: string; is_current: boolean }[]>('GET', '/users/me/tokens');
    const revoked = tokens.find(({ is_current }) => is_current)?.id;
    for (const as of [everywhere, ofAcme]) {
      expect((await post(as, membershipOf(acme))).status).toBe(403);
      const token = { type: 'Token', id: revoked, organization_id: acme, change_type: 2, data: {} };
      expect((await post(as, { type: 'TokenChanged', message: token })).status).toBe(403);
    }
    for (const body of [
      changed(globex, 'foreign'),
      [changed(acme, 'beside it'), changed(globex, 'foreign')],
      { type: 'SystemNotification', message: { date: '2026-01-01T00:00:00Z', message: 'foreign' } },
      { type: 'UserChanged', message: { type: 'User', id: 'someone', change_type: 1, data: {} } },
    ]) {
      const response = await post(ofAcme, body);
      expect(response.status).toBe(403);
      expect(((await response.json()) as { detail: string }).detail).toContain(acme);
    }
    expect((await post(ofAcme, changed(acme, 'own'))).status).toBe(202);
    await last([...members, ...admins], 'end of rights');
    for (const probe of [...members, ...admins]) expect(said(probe)).toEqual(['own']);
    close();
  });

  it('is done once for an Idempotency-Key, however many requests come, even at once', async () => {
    const { members, close } = await listen();
    const key = 'order 7'.replace(' ', '-');
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => post(everywhere, changed(acme, 'once'), key)),
    );
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 202));
    const bodies = await Promise.all(answers.map((answer) => answer.text()));
    expect(new Set(bodies).size).toBe(1);
    expect((await post(everywhere, changed(acme, 'other'), key)).status).toBe(409);
    // Another token has its own keys.
    expect((await post(ofAcme, changed(acme, 'other token'), key)).status).toBe(202);
    for (const bad of ['two words', 'x'.repeat(256), 'ü']) {
      expect((await post(everywhere, changed(acme, 'bad key'), bad)).status).toBe(400);
    }
    // A refused request is not remembered.
    expect((await post(everywhere, changed(acme, ''), 'later')).status).toBe(202);
    expect((await post(ofAcme, changed(globex, 'refused'), 'refused')).status).toBe(403);
    expect((await post(ofAcme, changed(acme, 'corrected'), 'refused')).status).toBe(202);
    await last(members, 'end of keys');
    for (const probe of members) expect(said(probe)).toEqual(['once', 'other token', '', 'corrected']);
    close();
  });

  it('takes text that looks like protocol as it is, or says why it refuses it', async () => {
    const { members, close } = await listen();
    const text = '\n\ndata: {"type":"Revoked"}\n\nid: 9\r\r: x\r\n\u0000\u2028 "}}';
    expect((await post(everywhere, changed(acme, text))).status).toBe(202);
    await eventually('the text', () => members.every((probe) => said(probe).length === 1) || undefined);
    for (const probe of members) expect(said(probe)).toEqual([text]);
    const large = await post(everywhere, changed(acme, 'x'.repeat(2 * 1024 * 1024)));
    expect(large.status).toBe(413);
    close();
  });
});

const membershipOf = (organization: string) => ({
  type: 'UserMembershipChanged',
  message: { change_type: 2, user_id: crypto.randomUUID(), organization_id: organization },
});
