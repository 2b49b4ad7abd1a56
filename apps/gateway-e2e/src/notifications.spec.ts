import { ApiClient } from '@crossfade/test-hosts';
import { expect, it } from 'vitest';
import { onEachInstallation } from './databases.ts';
import { transports } from './transports.ts';

onEachInstallation('notifications', {}, (gateway) => {
  for (const { name, open } of transports) {
    it(`reach everyone over ${name}, and the current one is there for those who come later`, async () => {
      const admin = await ApiClient.login(gateway().url, 'admin@crossfade.test');
      const member = await ApiClient.login(gateway().url, 'member@crossfade.test');
      const probe = await open(gateway().url, { token: member.token });
      await probe.message('Connected');

      const release = await admin.json('POST', '/notifications/release?critical=true', {
        value: 'Version 2',
      });
      expect((await probe.message('ReleaseNotification')).message).toEqual(release);
      expect(release).toEqual({
        critical: true,
        date: expect.stringMatching(/Z$/) as string,
        message: 'Version 2',
      });

      await admin.json('POST', '/notifications/system', { value: 'first' });
      const second = await admin.json('POST', '/notifications/system', {
        value: 'second',
        level: 'Error',
        target: 'Legacy',
      });
      expect(second).toMatchObject({ message: 'second', level: 'Error', target: 'Legacy' });
      expect(
        (await probe.message('SystemNotification', ({ message }) => message === 'second')).message,
      ).toEqual(second);
      expect(await member.json('GET', '/notifications/system')).toEqual(second);

      await admin.json('DELETE', '/notifications/system');
      const cleared = await probe.message('SystemNotification', (message) => !('message' in message));
      expect(cleared.message).toEqual({ date: expect.any(String) as string });
      expect((await member.call('GET', '/notifications/system')).status).toBe(204);
      // There is no current notification, so nothing is published.
      const heard = probe.received.length;
      await admin.json('DELETE', '/notifications/system');
      await admin.json('POST', '/notifications/release', { value: 'after' });
      await probe.message('ReleaseNotification', ({ message }) => message === 'after');
      expect(probe.received).toHaveLength(heard + 1);
      probe.close();
    });
  }

  it('of several administrators at once leave one current notification', async () => {
    const admin = await ApiClient.login(gateway().url, 'admin@crossfade.test');
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, index) =>
        admin.call('POST', '/notifications/system', { value: `number ${index}` }),
      ),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 10 }, () => 200));
    expect((await admin.call('GET', '/notifications/system')).status).toBe(200);
    await admin.json('DELETE', '/notifications/system');
    expect((await admin.call('GET', '/notifications/system')).status).toBe(204);
  });
});
