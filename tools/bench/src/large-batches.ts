import { ApiClient, inLetters, sampleToken } from '@crossfade/test-hosts';
import { percentile, round } from './figures.ts';

const KINDS = 50;
const BATCHES = 3;

interface Batches {
  readonly 'answer, s': number;
  readonly 'longest turn, ms': number;
  readonly 'users/me beside it p50, ms': number;
  readonly 'p99, ms': number;
}

/** Sends batches of this many events, and measures the longest turn of the event loop and another caller's requests. */
export async function measureLargeBatches(
  url: string,
  metricsPort: number,
  events: number,
): Promise<Batches> {
  const client = new ApiClient(url, sampleToken.storefront);
  const admin = await ApiClient.login(url, 'admin@crossfade.test');
  const beside: number[] = [];
  const answers: number[] = [];
  await longestTurn(metricsPort);
  let isOver = false;
  const asking = (async () => {
    while (!isOver) {
      const begun = performance.now();
      await admin.json('GET', '/users/me');
      beside.push(performance.now() - begun);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  })();
  const batch = Array.from({ length: events }, (_, index) => ({
    type: 'error',
    message: `Kind ${inLetters(index % KINDS)}`,
  }));
  try {
    for (let sent = 0; sent < BATCHES; sent += 1) {
      const begun = performance.now();
      await client.json('POST', '/events', batch);
      answers.push(performance.now() - begun);
    }
  } finally {
    isOver = true;
    await asking;
  }
  return {
    'answer, s': round(percentile(answers, 0.5) / 1000),
    'longest turn, ms': round(await longestTurn(metricsPort)),
    'users/me beside it p50, ms': percentile(beside, 0.5),
    'p99, ms': percentile(beside, 0.99),
  };
}

/** Since the last call, in milliseconds. */
async function longestTurn(metricsPort: number): Promise<number> {
  const answer = await fetch(`http://127.0.0.1:${metricsPort}/metrics`);
  return Number(/^nodejs_eventloop_delay_max(?:\{[^}]*\})? (\S+)/m.exec(await answer.text())?.[1]) * 1000;
}
