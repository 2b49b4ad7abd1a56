import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

/** How nginx listens, and how it speaks to the server behind it. */
export interface NginxOptions {
  readonly listen?: 'http2';
  /** Nginx' own default is 1.0. */
  readonly upstream?: '1.0' | '1.1';
}

/** A real nginx before a server, with its defaults but for what `NginxOptions` says. */
export class Nginx {
  private constructor(
    private readonly child: ChildProcess,
    private readonly folder: string,
    readonly port: number,
  ) {}

  static async start(behind: number, { listen, upstream = '1.0' }: NginxOptions): Promise<Nginx> {
    const folder = mkdtempSync(join(tmpdir(), 'crossfade-nginx-'));
    const port = await freePort();
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
      (name) => `${name}_temp_path ${folder}/${name};`,
    );
    writeFileSync(
      join(folder, 'nginx.conf'),
      `daemon off; master_process off; pid ${folder}/pid; error_log stderr warn;
events { worker_connections 256; }
http {
  access_log off; ${temporary.join(' ')}
  upstream gateway { server 127.0.0.1:${behind}; keepalive 8; }
  server {
    listen 127.0.0.1:${port}${listen === undefined ? '' : ` ${listen}`};
    location / {
      proxy_pass http://gateway;
      proxy_http_version ${upstream};
      ${upstream === '1.1' ? 'proxy_set_header Connection "";' : ''}
    }
  }
}
`,
    );
    const child = spawn(program(), ['-p', folder, '-c', join(folder, 'nginx.conf')], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
    for (let tries = 0; tries < 250; tries += 1) {
      const answers = await fetch(`http://127.0.0.1:${port}/`).then(
        () => true,
        (error: { cause?: { code?: string } }) => error.cause?.code !== 'ECONNREFUSED',
      );
      if (answers) return new Nginx(child, folder, port);
      if (child.exitCode !== null) throw new Error(`nginx exited with ${child.exitCode}: ${said}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    throw new Error(`nginx did not start within 5 seconds: ${said}`);
  }

  async stop(): Promise<void> {
    const exited = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await exited;
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function program(): string {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin'];
  const found = folders.map((folder) => join(folder, 'nginx')).find((path) => existsSync(path));
  if (found === undefined) throw new Error('nginx is not installed (Debian: apt-get install nginx-light)');
  return found;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
