import { Agent, request } from 'node:http';
import { inLetters, sampleToken } from '@crossfade/test-hosts';
import { median, percentile, round } from './figures.ts';

const SENDERS = 8;
const KINDS = 50;
const agent = new Agent({ keepAlive: true, maxSockets: SENDERS });

interface Load {
  readonly 'events a request': number;
  readonly 'events a second': number;
  readonly 'answer p50, ms': number;
  readonly 'answer p99, ms': number;
}

/** A gateway that is measured. */
export interface IngestContestant {
  readonly name: string;
  readonly url: string;
}

type ComparedLoad = Load & {
  readonly gateway: string;
  /** Events a second, as a share of what the first gateway takes. */
  readonly 'of the first': number;
};

/**
 * Posts events of a few kinds from several senders at once, one per request, then a hundred. The gateways take turns in each
 * round, so that what else happens on the machine concerns all of them. Returns the median round of each, and of its shares
 * of what the first gateway took in the same round.
 */
export async function measureIngest(
  gateways: readonly IngestContestant[],
  seconds: number,
  rounds: number,
): Promise<ComparedLoad[]> {
  for (const { url } of gateways) await load(url, 1, Math.min(3, seconds));
  const measured: ComparedLoad[] = [];
  for (const size of [1, 100]) {
    const all = gateways.map(({ name }) => ({ name, loads: [] as Load[], shares: [] as number[] }));
    for (let done = 0; done < rounds; done += 1) {
      for (const [index, { url }] of gateways.entries())
        all[index]?.loads.push(await load(url, size, seconds));
      const first = all[0]?.loads[done]?.['events a second'] ?? NaN;
      for (const { loads, shares } of all) shares.push((loads[done]?.['events a second'] ?? NaN) / first);
    }
    for (const { name, loads, shares } of all) {
      loads.sort((a, b) => a['events a second'] - b['events a second']);
      const middle = loads[Math.floor(loads.length / 2)];
      if (middle !== undefined)
        measured.push({ gateway: name, ...middle, 'of the first': Number(median(shares).toFixed(3)) });
    }
  }
  return measured;
}

async function load(url: string, size: number, seconds: number): Promise<Load> {
  const until = performance.now() + seconds * 1000;
  const begun = performance.now();
  const answers: number[] = [];
  let sent = 0;
  await Promise.all(
    Array.from({ length: SENDERS }, async () => {
      while (performance.now() < until) {
        const body = JSON.stringify(Array.from({ length: size }, () => event(sent++)));
        const asked = performance.now();
        const status = await post(url, body);
        if (status !== 202) throw new Error(`a batch got ${status}`);
        answers.push(performance.now() - asked);
      }
    }),
  );
  return {
    'events a request': size,
    'events a second': Math.round(sent / ((performance.now() - begun) / 1000)),
    'answer p50, ms': percentile(answers, 0.5),
    'answer p99, ms': round(percentile(answers, 0.99)),
  };
}

/** About as large as what a client library sends for an error. */
function event(index: number) {
  const kind = inLetters(index % KINDS);
  return {
    type: 'error',
    date: new Date().toISOString(),
    reference_id: `bench-${index}`,
    tags: ['bench'],
    data: {
      '@error': {
        type: 'TypeError',
        message: `Load of kind ${kind}`,
        stack_trace: Array.from({ length: 12 }, (_, frame) => ({
          name: `function${frame}`,
          file_name: `/app/${kind}.js`,
          line_number: 100 + frame,
        })),
      },
    },
  };
}

function post(url: string, body: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const asked = request(
      `${url}/api/v2/events`,
      {
        agent,
        method: 'POST',
        headers: {
          Authorization: `Bearer ${sampleToken.storefront}`,
          'Content-Type': 'application/json',
          'Content-Length': Buffer.byteLength(body),
        },
      },
      (answer) => {
        answer.resume().on('end', () => resolve(answer.statusCode ?? 0));
      },
    );
    asked.on('error', reject).end(body);
  });
}
