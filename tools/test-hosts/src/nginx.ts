import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { eventually } from '@crossfade/protocol/testing';
import { endChild } from './child.ts';
import { OwnFolder } from './keeper.ts';
import { freePort } from './postgres.ts';

/** A real nginx before a gateway, with its defaults but for the version that it speaks to the gateway. */
export class NginxHost {
  private constructor(
    private readonly child: ChildProcess,
    private readonly own: OwnFolder,
    readonly url: string,
  ) {}

  static async start(behind: string, upstream: '1.0' | '1.1' = '1.0'): Promise<NginxHost> {
    const own = new OwnFolder('nginx');
    const port = await freePort();
    const file = join(own.path, 'nginx.conf');
    writeFileSync(file, configuration(own.path, port, new URL(behind).host, upstream));
    const child = spawn(program(), ['-p', own.path, '-c', file], { stdio: ['ignore', 'ignore', 'pipe'] });
    own.isUsedBy(child);
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
    const url = `http://127.0.0.1:${port}`;
    await eventually('nginx', async () => {
      if (child.exitCode !== null) throw new Error(`nginx exited with ${child.exitCode}: ${said}`);
      return fetch(`${url}/health/live`).then(
        () => true,
        () => undefined,
      );
    });
    return new NginxHost(child, own, url);
  }

  async stop(): Promise<void> {
    await endChild(this.child, 'SIGKILL');
    this.own.giveBack();
  }
}

function configuration(folder: string, port: number, behind: string, upstream: string): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${folder}/${name};`,
  );
  return `daemon off; master_process off; pid ${folder}/pid; error_log stderr warn;
events { worker_connections 256; }
http {
  access_log off; ${temporary.join(' ')} client_max_body_size 20m;
  upstream gateway { server ${behind}; ${upstream === '1.1' ? 'keepalive 8;' : ''} }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://gateway;
      proxy_http_version ${upstream};
      ${upstream === '1.1' ? 'proxy_set_header Connection "";' : ''}
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    }
  }
}
`;
}

function program(): string {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin'];
  const found = folders.map((folder) => join(folder, 'nginx')).find((path) => existsSync(path));
  if (found === undefined) throw new Error('nginx is not installed (Debian: apt-get install nginx-light)');
  return found;
}
