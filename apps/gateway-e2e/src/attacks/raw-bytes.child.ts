import { createConnection } from 'node:net';
import { Choices } from '@crossfade/protocol/testing';
import { attempt, type Attempt } from './raw-bytes.ts';

/** The process that sends raw bytes, so that its work does not delay what is measured. */
export interface RawBytesOrder {
  readonly port: number;
  readonly seed: number;
  readonly attempts: number;
}

/** What came back: the number of sockets by the status of their first response (`none` without one), and every 5xx in full. */
export interface RawBytesReport {
  readonly statuses: Readonly<Record<string, number>>;
  readonly failures: readonly string[];
}

const AT_ONCE = 40;
/** Does not wait for a request of which the server still expects more. */
const PATIENCE_MS = 250;

process.once('message', (order: RawBytesOrder) => {
  void run(order).then((report) => process.send?.(report, () => process.exit(0)));
});

async function run({ port, seed, attempts }: RawBytesOrder): Promise<RawBytesReport> {
  const choices = new Choices(seed);
  const statuses: Record<string, number> = {};
  const failures: string[] = [];
  let made = 0;
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      while (made < attempts) {
        made += 1;
        const one = attempt(choices);
        const answer = await send(port, one);
        const status = /^HTTP\/1\.[01] (\d{3})/.exec(answer)?.[1] ?? (answer === '' ? 'none' : 'other');
        statuses[status] = (statuses[status] ?? 0) + 1;
        const failed = /HTTP\/1\.1 5\d\d[^]{0,300}/.exec(answer)?.[0];
        if (failed !== undefined || status === 'other') {
          failures.push(
            `${JSON.stringify(Buffer.concat(one.pieces).toString('latin1').slice(0, 600))}: ${failed ?? answer}`,
          );
        }
      }
    }),
  );
  return { statuses, failures };
}

/** The first 4,000 characters of the response, in latin1. */
function send(port: number, { pieces, ending }: Attempt): Promise<string> {
  return new Promise((resolve) => {
    let answer = '';
    const socket = createConnection({ port, host: '127.0.0.1', allowHalfOpen: true });
    const leave = (): void => void (ending === 'reset' ? socket.resetAndDestroy() : socket.destroy());
    const timer = setTimeout(leave, PATIENCE_MS);
    socket.setEncoding('latin1');
    socket.on('data', (chunk: string) => {
      if (answer.length < 4000) answer += chunk;
      if (ending === 'read') leave();
    });
    socket.on('end', leave);
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(answer);
    });
    socket.on('connect', () => {
      const [first = Buffer.alloc(0), second] = pieces;
      const goOn = (): void => {
        if (ending === 'half') socket.end();
        if (ending === 'leave' || ending === 'reset') setTimeout(leave, 2);
      };
      socket.write(first);
      if (second === undefined) return goOn();
      setTimeout(() => {
        if (!socket.destroyed) socket.write(second);
        goOn();
      }, 3);
    });
  });
}
