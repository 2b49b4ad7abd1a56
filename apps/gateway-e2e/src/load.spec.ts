import { readFileSync } from 'node:fs';
import { SseProbe, WsProbe, eventually } from '@crossfade/protocol/testing';
import { ApiClient, inLetters, LOAD_EVENTS, LOAD_KINDS, sampleToken, sendLoad } from '@crossfade/test-hosts';
import { expect, it } from 'vitest';
import { onEachDatabase } from './databases.ts';

/** More than one statement could carry. */
const DIFFERENT = 7000;
/** The most that a request may carry. */
const LARGEST = 50_000;
const MIB = 1024 * 1024;

onEachDatabase('load', {}, (gateway, database) => {
  /** In `npm test`, the embedded database gets a tenth, still in many statements: it stores a thousand events a second. */
  const largest = database === 'PostgreSQL' || process.env['ATTACK_FULL'] === '1' ? LARGEST : LARGEST / 10;

  it(`takes very many events from eight senders at once, and counts every one (${LOAD_EVENTS})`, async () => {
    const admin = await ApiClient.login(gateway().url, 'admin@crossfade.test');
    const probes = [
      await SseProbe.open(gateway().url, { token: admin.token }),
      await WsProbe.open(gateway().url, { token: admin.token }),
    ];
    await Promise.all(probes.map((probe) => probe.message('Connected')));
    const client = new ApiClient(gateway().url, sampleToken.storefront);
    const statuses = await sendLoad(client, LOAD_EVENTS / 2);
    const before = residentBytes(gateway().pid);
    statuses.push(...(await sendLoad(client, LOAD_EVENTS / 2)));
    expect(statuses).toHaveLength(LOAD_EVENTS);
    expect(new Set(statuses)).toEqual(new Set([202]));

    const organizations = await admin.json<{ id: string; name: string }[]>('GET', '/organizations');
    const acme = organizations.find(({ name }) => name === 'Acme')?.id;
    const stacks = await admin.json<{ title: string; total_occurrences: number }[]>(
      'GET',
      `/organizations/${acme}/stacks`,
    );
    expect(stacks.map(({ total_occurrences }) => total_occurrences)).toEqual(
      Array.from({ length: LOAD_KINDS }, () => LOAD_EVENTS / LOAD_KINDS),
    );

    // Nothing of the second half stays in memory: the bound is five times what one round of work needs.
    await eventually(
      'memory that is flat again',
      () => (residentBytes(gateway().pid) - before < 5 * 20 * MIB ? true : undefined),
      20_000,
    );
    const grown = residentBytes(gateway().pid) - before;
    console.log(
      `Memory after ${LOAD_EVENTS} events against after half of them: ${(grown / MIB).toFixed(1)} MiB`,
    );
    const heard = probes.map((probe) => probe.received.length);
    await new ApiClient(gateway().url, sampleToken.rocket).json('POST', '/events', {
      type: 'error',
      message: 'afterwards',
    });
    await Promise.all(
      probes.map((probe, index) =>
        eventually('message after the load', () =>
          probe.received.slice(heard[index]).find(({ type }) => type === 'StackChanged'),
        ),
      ),
    );
    for (const probe of probes) probe.close();
  });

  it('takes one batch of thousands of different errors, and every stream that reads learns of each stack', async () => {
    const admin = await ApiClient.login(gateway().url, 'admin@crossfade.test');
    const probes = [
      await SseProbe.open(gateway().url, { token: admin.token }),
      await WsProbe.open(gateway().url, { token: admin.token }),
    ];
    await Promise.all(probes.map((probe) => probe.message('Connected')));
    const batch = Array.from({ length: DIFFERENT }, (_, index) => ({
      type: 'error',
      message: `Broken ${inLetters(index)}`,
    }));
    const response = await new ApiClient(gateway().url, sampleToken.rocket).call('POST', '/events', batch);
    expect(response.status).toBe(202);
    for (const probe of probes) {
      const stacks = () =>
        new Set(
          probe.received.flatMap(({ type, message }) =>
            type === 'StackChanged' ? [(message as { id: string }).id] : [],
          ),
        );
      await eventually(
        'message of every stack',
        () => (stacks().size === DIFFERENT ? true : undefined),
        30_000,
      );
      probe.close();
    }
    const many = await new ApiClient(gateway().url, sampleToken.rocket).call(
      'POST',
      '/events',
      `[${'{},'.repeat(largest - 1)}{}]`,
    );
    expect(many.status).toBe(202);
  });
});

function residentBytes(pid: number): number {
  const pages = Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]);
  return pages * 4096;
}
