import { fork } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { Agent, get } from 'node:http';
import { fileURLToPath } from 'node:url';
import { SseProbe, eventually } from '@crossfade/protocol/testing';
import { ApiClient, GatewayHost, newDatabase } from '@crossfade/test-hosts';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import type { RawBytesOrder, RawBytesReport } from './raw-bytes.child.ts';
import { descriptorsOf } from './processes.ts';

const ATTEMPTS = Number(process.env['ATTACK_REQUESTS'] ?? 5000);
const SEED = Number(process.env['ATTACK_SEED'] ?? randomInt(2 ** 31));
/** How fast health must answer meanwhile, in milliseconds. The test allows five times that. */
const HEALTH_MS = 100;

let host: GatewayHost;
let member: ApiClient;
beforeAll(async () => {
  host = await GatewayHost.start({
    databaseUrl: newDatabase(inject('postgresPort')),
    env: { API_THROTTLE_PER_MINUTE: '0', INGEST_THROTTLE_PER_MINUTE: '0' },
  });
  member = await ApiClient.login(host.url, 'member@crossfade.test');
});
afterAll(() => host.stop('SIGKILL'));

it(
  `lives through ${ATTEMPTS} requests of raw bytes, keeps no descriptor, and answers meanwhile (seed ${SEED})`,
  { timeout: 60_000 + ATTEMPTS * 20 },
  async () => {
    const stream = await SseProbe.open(host.url, { token: member.token });
    await stream.message('Connected');
    // Afterwards, there must be no more connections to the database than now.
    await Promise.all(Array.from({ length: 50 }, () => member.json('GET', '/organizations')));
    const before = descriptorsOf(host.pid);
    const health = new Watch(`${host.url}/health/live`);
    const report = await attack(ATTEMPTS, SEED);
    const { slowest, p99 } = await health.stop();
    console.log(
      `Seed ${SEED}: answers ${JSON.stringify(report.statuses)}; health p99 ${p99.toFixed(1)} ms, slowest ${slowest.toFixed(1)} ms.`,
    );
    expect(slowest, host.output).toBeLessThan(Infinity);
    expect(report.failures).toEqual([]);
    // Most of the bytes are nearly valid, so that they also reach code behind the parser.
    expect(report.statuses['200']).toBeGreaterThan(ATTEMPTS / 100);
    expect(p99).toBeLessThan(HEALTH_MS * 5);
    await eventually(
      'return of every descriptor',
      () => descriptorsOf(host.pid) <= before || undefined,
      // The server waits for a body that never comes, and for a head.
      120_000,
    );
    expect(stream.ended).toBe(false);
    expect((await fetch(`${host.url}/health/ready`)).status).toBe(200);
    expect((await member.call('GET', '/users/me')).status).toBe(200);
    stream.close();
  },
);

async function attack(attempts: number, seed: number): Promise<RawBytesReport> {
  const child = fork(fileURLToPath(new URL('./raw-bytes.child.ts', import.meta.url)), [], {
    execArgv: ['--disable-warning=ExperimentalWarning'],
  });
  const order: RawBytesOrder = { port: Number(new URL(host.url).port), seed, attempts };
  child.send(order);
  const [report] = (await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(([code]) => {
      throw new Error(`the attacker ended with ${String(code)}`);
    }),
  ])) as [RawBytesReport];
  return report;
}

/** Requests one URL repeatedly over one connection, and notes how long each response took; `Infinity` without one. */
class Watch {
  readonly #took: number[] = [];
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  readonly #done: Promise<void>;
  #isStopped = false;

  constructor(private readonly url: string) {
    this.#done = this.#run();
  }

  async stop(): Promise<{ slowest: number; p99: number }> {
    this.#isStopped = true;
    await this.#done;
    this.#agent.destroy();
    const sorted = this.#took.toSorted((a, b) => a - b);
    return { slowest: sorted.at(-1) ?? Infinity, p99: sorted[Math.floor(sorted.length * 0.99)] ?? Infinity };
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      const begun = performance.now();
      this.#took.push((await this.#isAnswered()) ? performance.now() - begun : Infinity);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  #isAnswered(): Promise<boolean> {
    return new Promise((resolve) => {
      get(this.url, { agent: this.#agent }, (response) => {
        response.resume().on('end', () => resolve(response.statusCode === 200));
      }).on('error', () => resolve(false));
    });
  }
}
