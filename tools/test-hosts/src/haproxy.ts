import type { ProxyProgram } from './proxy.ts';

/** Without `http-no-delay`, HAProxy delays each piece of a response by 200 ms in case more follows. */
export const haproxy: ProxyProgram = {
  name: 'HAProxy',
  files: ['haproxy'],
  package: 'haproxy',
  arguments: ({ file }) => ['-db', '-f', file],
  configuration: ({ port, behind, mark }) => `global
  maxconn 256
  noreuseport
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  timeout tunnel 60s
  option forwardfor
  option http-no-delay
frontend proxy
  bind 127.0.0.1:${port}
  http-request return status 204 if { path ${mark} }
  default_backend gateway
backend gateway
  server gateway ${behind}
`,
};
