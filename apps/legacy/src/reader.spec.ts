import angular from 'angular';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Reader } from './reader';
import { refreshOn } from './refresh-on';

interface HeldRequest {
  readonly about: string;
  readonly resolve: (answer: string) => void;
  readonly reject: (sentence: string) => void;
  /** What the server read for it. Later changes are not in it. */
  computed?: string;
}

/** A server whose lists have versions and which answers when told to, and the page that shows one of them. */
class HeldServer {
  readonly requests: HeldRequest[] = [];
  fetches = 0;
  shown: string | undefined;
  failed: string | undefined;
  readonly versions = new Map<string, number>();
  readonly reader = new Reader<string>(
    (answer) => {
      this.shown = answer;
      this.failed = undefined;
    },
    (sentence) => (this.failed = sentence),
  );

  version(about: string): string {
    return `${about} ${this.versions.get(about) ?? 0}`;
  }

  change(about: string): void {
    this.versions.set(about, (this.versions.get(about) ?? 0) + 1);
  }

  read(about: string): void {
    this.reader.read(about, () => {
      this.fetches += 1;
      return new Promise((resolve, reject) => this.requests.push({ about, resolve, reject }));
    });
  }

  compute(): void {
    for (const request of this.requests) request.computed ??= this.version(request.about);
  }

  /** Responses come in any order. */
  async answer(which = 0): Promise<void> {
    const [request] = this.requests.splice(which % Math.max(1, this.requests.length), 1);
    request?.resolve(request.computed ?? this.version(request.about));
    await Promise.resolve();
  }

  async fail(): Promise<void> {
    this.requests.shift()?.reject('The server answered 500.');
    await Promise.resolve();
  }
}

describe('a reader', () => {
  it('reads once more after a response that may have been made before the change', async () => {
    const server = new HeldServer();
    server.read('a');
    server.compute();
    for (let index = 0; index < 100; index += 1) {
      server.change('a');
      server.read('a');
    }
    expect(server.fetches).toBe(1);
    await server.answer();
    expect(server.shown).toBe('a 0');
    await server.answer();
    expect(server.shown).toBe('a 100');
    expect(server.fetches).toBe(2);
  });

  it('reads once more after a failure, if it became stale meanwhile', async () => {
    const server = new HeldServer();
    server.read('a');
    server.read('a');
    await server.fail();
    expect(server.failed).toBe('The server answered 500.');
    await server.answer();
    expect([server.shown, server.failed]).toEqual(['a 0', undefined]);
  });

  it('reads something else at once, and drops the response to the former read', async () => {
    const server = new HeldServer();
    server.read('a');
    server.read('b');
    await server.answer(1);
    await server.answer(0);
    expect(server.shown).toBe('b 0');
    expect(server.requests).toEqual([]);
  });

  it('reads nothing more once it is dropped', async () => {
    const server = new HeldServer();
    server.read('a');
    server.read('a');
    server.reader.drop();
    await server.answer();
    expect(server.shown).toBeUndefined();
    expect(server.fetches).toBe(1);
  });

  it('shows in the end what the server has, whatever happens in whatever order', async () => {
    const about = fc.constantFrom('a', 'b');
    const step = fc.oneof(
      fc.record({ do: fc.constantFrom('read', 'change', 'change'), about, which: fc.nat(3) }),
      fc.record({ do: fc.constantFrom('compute', 'answer', 'answer', 'fail'), about, which: fc.nat(3) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const server = new HeldServer();
        let wanted = 'a';
        server.read(wanted);
        for (const { do: act, about: other, which } of steps) {
          if (act === 'read') server.read((wanted = other));
          else if (act === 'compute') server.compute();
          else if (act === 'answer') await server.answer(which);
          else if (act === 'fail') await server.fail();
          else {
            server.change(other);
            // Messages tell of what is shown, and of other things.
            server.read(wanted);
          }
        }
        for (let round = 0; round < 2; round += 1) while (server.requests.length > 0) await server.answer();
        if (server.failed === undefined) expect(server.shown).toBe(server.version(wanted));
      }),
      { numRuns: 500 },
    );
  });
});

describe('a list that takes 2 s while a message comes every 100 ms', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('is shown, becomes current, and is fetched once at a time', async () => {
    const server = new HeldServer();
    angular.module('reading', []).directive('refreshOn', refreshOn);
    const injector = angular.injector(['ng', 'reading']);
    const $rootScope = injector.get('$rootScope');
    const scope = Object.assign($rootScope.$new(), { load: () => server.read('a') });
    injector.get('$compile')('<div refresh-on="StackChanged" refresh-action="load()"></div>')(scope);
    scope.load();
    let answering = false;
    const shown = new Set<string>();
    for (let tenths = 0; tenths < 200; tenths += 1) {
      if (!answering && server.requests.length > 0) {
        answering = true;
        server.compute();
        setTimeout(() => {
          void server.answer();
          answering = false;
        }, 2000);
      }
      expect(server.requests.length).toBeLessThanOrEqual(1);
      if (tenths < 150) {
        server.change('a');
        $rootScope.$emit('StackChanged', {});
      }
      await vi.advanceTimersByTimeAsync(100);
      if (server.shown !== undefined) shown.add(server.shown);
    }
    expect(shown.size).toBeGreaterThan(5);
    expect(server.shown).toBe('a 150');
    expect(server.fetches).toBeLessThanOrEqual(11);
    scope.$destroy();
  });
});
