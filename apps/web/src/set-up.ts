/** Snippets that send errors here with a project's token, to paste. */
export function setUp(origin: string, token: string): { install: string; browser: string; anywhere: string } {
  return {
    install: 'npm install @exceptionless/browser',
    browser: `import { Exceptionless } from '@exceptionless/browser';

await Exceptionless.startup((c) => {
  c.serverUrl = '${origin}';
  c.apiKey = '${token}';
});`,
    anywhere: `curl ${origin}/api/v2/events \\
  -H 'Authorization: Bearer ${token}' \\
  -H 'Content-Type: application/json' \\
  -d '{"type":"error","message":"It works"}'`,
  };
}
