import { PUSH_PATH, PUSH_SETTINGS_PATH } from '@crossfade/protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startApp, type StartedApp } from '../app.spec-kit.js';
import { describeApi } from './openapi.js';

interface Layer {
  readonly route?: { readonly path: string; readonly methods: Readonly<Record<string, boolean>> };
}

/** The push library's, which admits by itself. */
const OWN_ADMISSION: readonly string[] = [PUSH_PATH, PUSH_SETTINGS_PATH];
/** Where Express ends up with what nobody serves. */
const ANYTHING_ELSE = '{/*splat}';

describe('the description of the API', () => {
  let started: StartedApp;
  beforeAll(async () => {
    started = await startApp();
  });
  afterAll(() => started.stop());

  it('has every route that the program serves, and no other', () => {
    const { stack } = (
      started.app.getHttpAdapter().getInstance() as unknown as { router: { stack: Layer[] } }
    ).router;
    const served = stack.flatMap(({ route }) =>
      route === undefined || route.path === ANYTHING_ELSE
        ? []
        : Object.keys(route.methods).map((method) => `${method} ${route.path.replace(/:(\w+)/g, '{$1}')}`),
    );
    const described = Object.entries(describeApi(started.app).paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method} ${path}`),
    );
    expect(served.length).toBeGreaterThan(40);
    expect(described.sort()).toEqual([...new Set(served)].sort());
  });

  it('gives each of them a summary, and a right unless the push library admits', () => {
    for (const [path, methods] of Object.entries(describeApi(started.app).paths)) {
      for (const [method, operation] of Object.entries(methods) as [string, Record<string, unknown>][]) {
        expect(operation['summary'], `${method} ${path}`).toEqual(expect.any(String));
        if (!OWN_ADMISSION.includes(path)) expect(operation['x-right'], `${method} ${path}`).toBeDefined();
      }
    }
  });
});
