import { ApiClient, sampleToken } from '@crossfade/test-hosts';
import { percentile } from './figures.ts';

const BATCH = 5000;

/** Makes many stacks in one organization. */
export async function fillLists(url: string, stacks: number): Promise<void> {
  const client = new ApiClient(url, sampleToken.storefront);
  for (let first = 0; first < stacks; first += BATCH) {
    const size = Math.min(BATCH, stacks - first);
    const events = Array.from({ length: size }, (_, index) => stackOf(first + index));
    await client.json('POST', '/events', events);
  }
  const { member, path } = await listOf(url);
  const some = await member.json<{ id: string }[]>('GET', `${path}?limit=50`);
  await member.json('POST', `/stacks/${some.map(({ id }) => id).join(',')}/change-status?status=ignored`);
}

/** How long the list of them takes. */
export async function measureLists(url: string, samples: number): Promise<Record<string, unknown>[]> {
  const { member, path } = await listOf(url);
  const queries = {
    'newest first': '',
    'first seen': 'sort=first',
    'most occurrences': 'sort=occurrences',
    'a rare status': 'status=ignored',
    'a common status': 'status=open',
    'a word of a few titles': 'q=needle',
    'a word of every title': 'q=failed',
    'a word of none': 'q=nowhere',
    'page 100': 'page=100',
  };
  const measured: Record<string, unknown>[] = [];
  for (const [what, query] of Object.entries(queries)) {
    const times: number[] = [];
    for (let sample = 0; sample < samples; sample += 1) {
      const begun = performance.now();
      await member.json('GET', `${path}?${query}`);
      times.push(performance.now() - begun);
    }
    measured.push({ list: what, 'p50, ms': percentile(times, 0.5), 'p95, ms': percentile(times, 0.95) });
  }
  return measured;
}

async function listOf(url: string): Promise<{ member: ApiClient; path: string }> {
  const member = await ApiClient.login(url, 'member@crossfade.test');
  const [organization] = await member.json<{ id: string }[]>('GET', '/organizations');
  return { member, path: `/organizations/${organization?.id}/stacks` };
}

function stackOf(index: number) {
  const words = [...String(index)].map((digit) => NAMES[Number(digit)]).join(' ');
  return {
    type: 'error',
    date: new Date(Date.now() - index * 1000).toISOString(),
    message: `Failed to ${index % 1000 === 0 ? 'find a needle in' : 'load'} ${words}`,
    count: 1 + (index % 97),
  };
}

const NAMES = ['apple', 'birch', 'cedar', 'daisy', 'elder', 'fern', 'grape', 'hazel', 'iris', 'juniper'];
