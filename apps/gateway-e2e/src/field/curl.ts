import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Answered, Sent } from '../operations.ts';
import { readHeaderLines } from './header-lines.ts';
import type { BodyForm } from './java-client.ts';

/** `curl --http2`, which offers HTTP/2 by an upgrade. @throws if there is no response. */
export async function curl(url: string, sent: Sent, form: BodyForm = 'sized'): Promise<Answered> {
  const { method, path, headers, body } = sent;
  const given = Object.entries({
    ...headers,
    ...(form === 'chunked' ? { 'Transfer-Encoding': 'chunked' } : {}),
    ...(form === 'expected' ? { Expect: '100-continue' } : {}),
  }).flatMap(([name, value]) => ['-H', `${name}: ${value}`]);
  const child = spawn('curl', [
    ...['-sS', '--http2', '--path-as-is', '--include'],
    ...(method === 'HEAD' ? ['--head'] : ['-X', method]),
    ...given,
    ...(body === undefined ? [] : ['--data-binary', '@-']),
    url + path,
  ]);
  child.stdin.on('error', () => undefined).end(body);
  const [answer, said, [code, signal]] = await Promise.all([
    read(child.stdout),
    read(child.stderr),
    once(child, 'exit') as Promise<[number | null, string | null]>,
  ]);
  if (code !== 0) throw new Error(`curl, ${method} ${path}: ${code ?? signal} ${said}`);
  // A 100 Continue may come before it.
  const [head = ''] = /^(?:HTTP.*\r\n(?:.+\r\n)*\r\n)+/.exec(answer) ?? [];
  const [first = '', ...lines] = head.trimEnd().split('\r\n\r\n').at(-1)?.split('\r\n') ?? [];
  return {
    status: Number(first.split(' ')[1]),
    headers: readHeaderLines(lines),
    text: answer.slice(head.length),
  };
}

async function read(stream: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}
