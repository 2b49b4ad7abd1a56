import type { ProxyProgram } from './proxy.ts';

export const caddy: ProxyProgram = {
  name: 'Caddy',
  files: ['caddy'],
  package: 'caddy',
  arguments: ({ file }) => ['run', '--adapter', 'caddyfile', '--config', file],
  configuration: ({ port, behind, mark }) => `{
  admin off
  auto_https off
}
:${port} {
  bind 127.0.0.1
  respond ${mark} 204
  reverse_proxy ${behind}
}
`,
};
