import { randomInt } from 'node:crypto';
import { Choices, eventually } from '@crossfade/protocol/testing';
import { ApiClient } from '@crossfade/test-hosts';
import { expect, it, onTestFinished } from 'vitest';
import { AccountClient } from './account/clients.ts';
import { Departures } from './account/departures.ts';
import { FAULTS } from './account/faults.ts';
import { Installation, UNCONFIRMED_SECONDS } from './account/installation.ts';
import { AccountPublisher, textOf, type Accepted } from './account/publisher.ts';
import { deliveryFaults, placesOf, rightFaults } from './account/reckoning.ts';
import { suffer } from './account/suffering.ts';

/*
 * Three replicas behind nginx, clients of both transports, messages and changes of rights all the time, and every fault of
 * `account/faults.ts`. Then an exact account, client by client.
 */

const SECONDS = Number(process.env['ACCOUNT_SECONDS'] ?? 45);
const SEED = Number(process.env['ACCOUNT_SEED'] ?? randomInt(2 ** 31));
const CLIENTS = 12;
/** What is shown of an account that is wrong. */
const SHOWN = 30;
const SETTLE_MS = 60_000;
/** No stream gets anything later than this after its rights were last read; and then it is on its way. */
const RIGHTS_MS = (UNCONFIRMED_SECONDS + 3) * 1000;

it(
  `loses nothing and shows nothing to the wrong people in ${SECONDS} s of faults (seed ${SEED})`,
  async () => {
    const installation = await Installation.start();
    onTestFinished(() => installation.stop());
    const { url } = installation;
    const admin = await ApiClient.login(url, 'admin@crossfade.test');
    const organizations = await admin.json<{ id: string; name: string }[]>('GET', '/organizations');
    const acme = organizations.find(({ name }) => name === 'Acme')?.id ?? '';
    const { token = '' } = await ApiClient.login(url, 'member@crossfade.test');
    const clients = Array.from({ length: CLIENTS }, (_, index) =>
      new AccountClient(url, token, index % 2 === 0 ? 'SSE' : 'WebSocket', index % 3 !== 2).start(),
    );
    await eventually('streams', () => clients.every(({ heard }) => heard.length > 0) || undefined);
    const publisher = new AccountPublisher(url, acme);
    publisher.start();
    const departures = new Departures(url, admin, acme);
    onTestFinished(async () => {
      await Promise.all([...clients.map((client) => client.stop()), departures.stop()]);
    });

    const scene = { installation, publisher, departures, choices: new Choices(SEED) };
    const suffered = await suffer(scene, SECONDS);
    await publisher.stop();
    // A message that is appended at once overtakes what still waits in the outbox.
    await eventually('an empty outbox', () => installation.unappended === 0 || undefined, SETTLE_MS);
    const last = await publisher.publish(3);
    await eventually('the last messages', () => clients.every(hasHeard(last)) || undefined, SETTLE_MS).catch(
      () => undefined,
    );
    await departures.stop();
    await Promise.all(clients.map((client) => client.stop()));

    const places = placesOf(clients);
    const faults = [
      ...clients.flatMap((client, index) =>
        deliveryFaults(client, publisher.accepted, places, installation.redisLostAt).map((fault) => ({
          who: `client ${index}`,
          fault,
        })),
      ),
      ...departures.done.flatMap((departure, index) =>
        departure.clients.flatMap((client) =>
          rightFaults(departure, client, RIGHTS_MS).map((fault) => ({ who: `departure ${index}`, fault })),
        ),
      ),
    ];
    console.log(
      `Account of ${SECONDS} s, seed ${SEED} (${suffered.map(({ fault, second }) => `${second} ${fault.name}`).join('; ')}): ${publisher.accepted.length} messages, ` +
        `${clients.reduce((sum, { askedAt }) => sum + askedAt.length, 0)} streams, ${departures.done.length} rights ended`,
    );
    expect(installation.fleet.endedByThemselves()).toEqual([]);
    // Who has the same fault is shown together.
    const shown = Object.entries(Object.groupBy(faults, ({ fault }) => fault)).map(
      ([fault, of = []]) => `${fault}: ${of.map(({ who }) => who).join(', ')}`,
    );
    expect(shown.slice(0, SHOWN)).toEqual([]);
    expect(new Set(suffered.map(({ fault: { name } }) => name))).toEqual(
      new Set(FAULTS.map(({ name }) => name)),
    );
    expect(publisher.accepted.length).toBeGreaterThan(SECONDS);
    await eventually('no lease', async () => (await installation.leases()).length === 0 || undefined).catch(
      () => undefined,
    );
    expect(await installation.leases()).toEqual([]);
  },
  (SECONDS + 240) * 1000,
);

/** Whether a client has heard the critical ones of these. */
function hasHeard(messages: readonly Accepted[]): (client: AccountClient) => boolean {
  const wanted = messages.filter(({ isCritical }) => isCritical).map(({ text }) => text);
  return ({ heard }) =>
    wanted.every((text) => heard.slice(-200).some(({ message }) => textOf(message) === text));
}
