import { ApiClient, type GatewayHost } from '@crossfade/test-hosts';

export const PASSWORD = 'plain otters juggle';

let made = 0;

/** Signs up somebody new. Each comes from its own address, so the gateway must trust one proxy (`TRUST_PROXY`). */
export async function newcomer(
  { url }: Pick<GatewayHost, 'url'>,
  { email = `person-${++made}@example.com`, invitation }: { email?: string; invitation?: string } = {},
): Promise<{ email: string; as: ApiClient; id: string }> {
  made += 1;
  const { token } = await new ApiClient(url, undefined).json<{ token: string }>(
    'POST',
    '/auth/signup',
    {
      email,
      password: PASSWORD,
      full_name: 'Pat Person',
      ...(invitation === undefined ? {} : { invitation }),
    },
    { 'X-Forwarded-For': `192.0.2.${made % 250}` },
  );
  const as = new ApiClient(url, token);
  return { email, as, id: (await as.json<{ id: string }>('GET', '/users/me')).id };
}

/** Creates an organization whose only member is its creator. */
export const newOrganization = async (as: ApiClient, name = 'Initech'): Promise<string> =>
  (await as.json<{ id: string }>('POST', '/organizations', { name })).id;

const median = (all: readonly number[]): number => [...all].sort((a, b) => a - b)[all.length >> 1] ?? 0;

/** The median time of each way in milliseconds. The ways alternate, so that other work of the machine hits all alike. */
export async function mediansOf(
  ways: Readonly<Record<string, (round: number) => Promise<unknown>>>,
  rounds: number,
): Promise<Record<string, number>> {
  const taken: Record<string, number[]> = {};
  for (let round = 0; round < rounds; round += 1) {
    for (const [name, way] of Object.entries(ways)) {
      const begun = performance.now();
      await way(round);
      (taken[name] ??= []).push(performance.now() - begun);
    }
  }
  return Object.fromEntries(Object.entries(taken).map(([name, all]) => [name, median(all)]));
}
