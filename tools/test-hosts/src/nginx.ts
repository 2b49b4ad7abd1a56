import type { ProxyProgram } from './proxy.ts';

/**
 * Speaks HTTP/1.0 to the gateway, which is nginx' default, or 1.1 over persistent connections; with 1.1 it passes upgrades
 * on as its manual says.
 */
export const nginx = (upstream: '1.0' | '1.1' = '1.0'): ProxyProgram => ({
  name: 'nginx',
  files: ['nginx'],
  package: 'nginx-light',
  arguments: ({ folder, file }) => ['-p', folder, '-c', file],
  configuration: ({ folder, port, behind, mark }) => {
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
      (name) => `${name}_temp_path ${folder}/${name};`,
    );
    const isKept = upstream === '1.1';
    return `daemon off; master_process off; pid ${folder}/pid; error_log stderr warn;
events { worker_connections 256; }
http {
  access_log off; ${temporary.join(' ')} client_max_body_size 20m;
  map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
  upstream gateway { server ${behind}; ${isKept ? 'keepalive 8;' : ''} }
  server {
    listen 127.0.0.1:${port};
    location = ${mark} { return 204; }
    location / {
      proxy_pass http://gateway;
      proxy_http_version ${upstream};
      ${isKept ? 'proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;' : ''}
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    }
  }
}
`;
  },
});
