import type { ProxyProgram } from './proxy.ts';

type Place = Parameters<ProxyProgram['configuration']>[0];

/** An nginx in the foreground that writes only into its folder. `http`: the directives of its block of that name. */
export const nginxProgram = (http: (place: Place) => string): ProxyProgram => ({
  name: 'nginx',
  files: ['nginx'],
  package: 'nginx-light',
  arguments: ({ folder, file }) => ['-p', folder, '-c', file],
  configuration: (place) => {
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
      (name) => `${name}_temp_path ${place.folder}/${name};`,
    );
    return `daemon off; master_process off; pid ${place.folder}/pid; error_log stderr warn;
events { worker_connections 1024; }
http {
  access_log off; ${temporary.join(' ')} client_max_body_size 20m;
  map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
${http(place)}
}
`;
  },
});

/**
 * Speaks HTTP/1.0 to the gateway, which is nginx' default, or 1.1 over persistent connections; with 1.1 it passes upgrades
 * on as its manual says.
 */
export const nginx = (upstream: '1.0' | '1.1' = '1.0'): ProxyProgram =>
  nginxProgram(({ port, behind, mark }) => {
    const isKept = upstream === '1.1';
    return `  upstream gateway { server ${behind}; ${isKept ? 'keepalive 8;' : ''} }
  server {
    listen 127.0.0.1:${port};
    location = ${mark} { return 204; }
    location / {
      proxy_pass http://gateway;
      proxy_http_version ${upstream};
      ${isKept ? 'proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;' : ''}
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    }
  }`;
  });
