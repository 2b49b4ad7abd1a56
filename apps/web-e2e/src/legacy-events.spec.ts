import { ApiClient, sampleToken, makeMember } from '@crossfade/test-hosts';
import type { Page } from 'playwright-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { connection } from './browser.ts';
import { startReplicatedHosts } from './hosts.ts';

interface Emitted {
  name: string;
  data: Record<string, unknown>;
}

/** The global object of AngularJS. */
interface LegacyWindow {
  emitted: Emitted[];
  angular: {
    element(node: Element): {
      injector(): {
        get(name: '$rootScope'): {
          $on(name: string, listen: (event: unknown, data: Record<string, unknown>) => void): void;
        };
        get(name: 'websocketService'): {
          start(): void;
          startDelayed(milliseconds: number): void;
          stop(): void;
          state: string;
        };
      };
    };
  };
}

describe("the legacy app's websocketService", () => {
  const hosts = startReplicatedHosts({ PUSH_KEEP_ALIVE_SECONDS: '1' });
  let page: Page;
  /** The sockets that it opened, and what it sent on them: the gateway closes a client that sends much. */
  let sockets = 0;
  const said: string[] = [];
  beforeAll(async () => {
    page = await hosts.browsing.signedIn(`${hosts.replicas.legacy.url}/`, 'member@crossfade.test');
    await connection(page, 'open');
    page.on('websocket', (socket) => {
      sockets += 1;
      socket.on('framesent', ({ payload }) => said.push(String(payload)));
    });
    await page.evaluate(() => {
      const legacy = window as unknown as LegacyWindow;
      legacy.emitted = [];
      const root = legacy.angular.element(document.documentElement).injector().get('$rootScope');
      for (const name of [
        'StackChanged',
        'UserMembershipChanged',
        'OrganizationChanged',
        'ProjectChanged',
        'WebSocketReconnected',
      ]) {
        root.$on(name, (_event, data) => legacy.emitted.push({ name, data: data ?? {} }));
      }
    });
  });

  const emitted = () => page.evaluate(() => (window as unknown as LegacyWindow).emitted.splice(0));
  const service = (call: 'start' | 'stop' | 'startDelayed') =>
    page.evaluate((name) => {
      const legacy = window as unknown as LegacyWindow;
      legacy.angular.element(document.documentElement).injector().get('websocketService')[name](300);
    }, call);

  it('emits each message under its type, with added, updated or deleted', async () => {
    const client = new ApiClient(hosts.replicas.third.url, sampleToken.storefront);
    for (const flags of [
      { added: true, updated: false, deleted: false },
      { added: false, updated: true, deleted: false },
    ]) {
      await client.json('POST', '/events', { type: 'error', message: 'for the legacy app' });
      await expect.poll(emitted).toMatchObject([{ name: 'StackChanged', data: { type: 'Stack', ...flags } }]);
    }
  });

  it('emits a change of membership as one of organization and project, too', async () => {
    const admin = await ApiClient.login(hosts.replicas.third.url, 'admin@crossfade.test');
    const organizations = await admin.json<{ id: string; name: string }[]>('GET', '/organizations');
    const acme = organizations.find(({ name }) => name === 'Acme')?.id ?? '';
    const member = {
      email: 'member@crossfade.test',
      as: await ApiClient.login(hosts.replicas.third.url, 'member@crossfade.test'),
    };
    await admin.json('DELETE', `/organizations/${acme}/users/${member.email}`);
    await expect.poll(emitted).toMatchObject(
      ['UserMembershipChanged', 'OrganizationChanged', 'ProjectChanged'].map((name) => ({
        name,
        data: { deleted: true, change_type: 2 },
      })),
    );
    await makeMember(admin, acme, member);
    await expect.poll(emitted).toMatchObject(
      ['UserMembershipChanged', 'OrganizationChanged', 'ProjectChanged'].map((name) => ({
        name,
        data: { added: true },
      })),
    );
  });

  it('stops, starts, says when it is back, and gets what it missed after a delayed start', async () => {
    await service('stop');
    await connection(page, 'idle');
    await service('start');
    await connection(page, 'open');
    await expect.poll(emitted).toMatchObject([{ name: 'WebSocketReconnected' }]);
    await service('startDelayed');
    await connection(page, 'connecting');
    await new ApiClient(hosts.replicas.third.url, sampleToken.storefront).json('POST', '/events', {
      type: 'error',
      message: 'while the legacy app waits',
    });
    await connection(page, 'open');
    // It resumes from its cursor: it gets what it missed, and refetches nothing else.
    const heard: string[] = [];
    await expect
      .poll(async () => {
        heard.push(...(await emitted()).map(({ name }) => name));
        return heard;
      })
      .toContain('StackChanged');
    expect(heard).not.toContain('WebSocketReconnected');
  });

  it('keeps its stream while it gets keep-alives, and sends nothing to the gateway, whatever happens', async () => {
    await service('stop');
    await service('start');
    await connection(page, 'open');
    // What came in before is announced within two seconds.
    await new Promise((resolve) => setTimeout(resolve, 2500));
    await emitted();
    await new Promise((resolve) => setTimeout(resolve, 5000));
    expect(await emitted()).toEqual([]);
    await connection(page, 'open');
    expect(sockets).toBeGreaterThan(0);
    expect(said).toEqual([]);
  });
});
