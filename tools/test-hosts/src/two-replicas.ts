import { GatewayHost, type GatewayOptions } from './gateway.ts';
import { nginxProgram } from './nginx.ts';
import { ProxyHost, type ProxyProgram } from './proxy.ts';

export interface TwoReplicasOptions {
  readonly databaseUrl: string;
  readonly redisUrl: string;
  /** `REDIS_PREFIX`: an installation of its own on the server. */
  readonly prefix: string;
  readonly env?: GatewayOptions['env'];
}

/**
 * Two gateways on one PostgreSQL and one Redis, behind nginx: streams open on the first, and every other request goes to
 * the second. So whatever is published comes from the other replica.
 */
export class TwoReplicas {
  private constructor(
    readonly streams: GatewayHost,
    readonly api: GatewayHost,
    private readonly proxy: ProxyHost,
  ) {}

  static async start({ databaseUrl, redisUrl, prefix, env }: TwoReplicasOptions): Promise<TwoReplicas> {
    const start = (name: string) =>
      GatewayHost.start({
        databaseUrl,
        redisUrl,
        env: { ...env, REDIS_PREFIX: prefix, REPLICA_NAME: name },
      });
    // The first one makes the sample data.
    const api = await start('api');
    const streams = await start('streams');
    return new TwoReplicas(
      streams,
      api,
      await ProxyHost.start(splitting(new URL(streams.url).host), api.url),
    );
  }

  /** Of nginx. */
  get url(): string {
    return this.proxy.url;
  }

  /** Everything that both have printed. */
  get output(): string {
    return this.streams.output + this.api.output;
  }

  async stop(): Promise<void> {
    await this.proxy.stop();
    await Promise.all([this.streams, this.api].map((host) => host.stop()));
  }
}

/** It adds no header that says who called, so that what counts addresses sees what it would without it. */
const splitting = (streams: string): ProxyProgram =>
  nginxProgram(
    ({ port, behind, mark }) => `  large_client_header_buffers 4 32k;
  upstream streams { server ${streams}; keepalive 8; }
  upstream api { server ${behind}; keepalive 8; }
  proxy_http_version 1.1;
  proxy_set_header Host $http_host;
  proxy_set_header Upgrade $http_upgrade;
  proxy_set_header Connection $connection_upgrade;
  proxy_pass_header X-Accel-Buffering;
  server {
    listen 127.0.0.1:${port};
    location = ${mark} { return 204; }
    location ~* ^/api/v2/push/?$ { proxy_pass http://streams; }
    location / { proxy_pass http://api; }
  }`,
  );
