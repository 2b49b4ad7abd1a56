import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { expect, it } from 'vitest';
import { PushMetrics } from './metrics.js';

/** What an exporter gets: the sums of one instrument, by attributes. */
async function make() {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 1e6 });
  const provider = new MeterProvider({ readers: [reader] });
  const metrics = new PushMetrics(provider.getMeter('test'));
  const points = async (name: string) => {
    await reader.forceFlush();
    const all =
      exporter
        .getMetrics()
        .at(-1)
        ?.scopeMetrics.flatMap((scope) => scope.metrics) ?? [];
    const found = all.find(({ descriptor }) => descriptor.name === name);
    return (found?.dataPoints ?? []).map(({ attributes, value }) => ({ attributes, value }));
  };
  return { metrics, points, stop: () => provider.shutdown() };
}

it('tells a hundred clients apart, and nobody who was refused', async () => {
  const { metrics, points, stop } = await make();
  metrics.refused('sse', 'stranger/1', 'unauthorized');
  for (let index = 0; index < 150; index += 1)
    metrics.streamsOf('sse', `app-${index}/1.${index}`).opened += 1;
  metrics.streamsOf('sse', 'app-7/2.0').opened += 1;
  metrics.refused('sse', 'app-7/2.0', 'limit');
  const opened = await points('crossfade.push.connections.opened');
  const of = (client: string) => opened.find(({ attributes }) => attributes['client'] === client)?.value;
  expect(opened).toHaveLength(101);
  expect(of('app-7')).toBe(2);
  expect(of('other')).toBe(50);
  const refused = (await points('crossfade.push.connections.refused')).filter(
    ({ value }) => Number(value) > 0,
  );
  expect(refused).toEqual([
    { attributes: { transport: 'sse', client: 'other', reason: 'unauthorized' }, value: 1 },
    { attributes: { transport: 'sse', client: 'app-7', reason: 'limit' }, value: 1 },
  ]);
  await stop();
});

it('measures from publishing to the end of the turn in which sockets are written, and to the socket that made it wait', async () => {
  const { metrics, points, stop } = await make();
  metrics.handedOver(performance.now() - 50);
  metrics.handedOver(performance.now() - 50);
  await new Promise((resolve) => setImmediate(resolve));
  metrics.waited(performance.now() - 2000);
  const delays = await points('crossfade.push.write.delay');
  expect(delays).toMatchObject([
    { attributes: { path: 'at_once' }, value: { count: 2 } },
    { attributes: { path: 'waited' }, value: { count: 1 } },
  ]);
  await stop();
});

it('counts what a lease store tells of', async () => {
  const { metrics, points, stop } = await make();
  metrics.leases.lapses += 1;
  metrics.leases.reacquired.kept += 2;
  metrics.leases.reacquired.lost += 3;
  metrics.leases.unreleased = 4;
  expect(await points('crossfade.push.leases.lapses')).toEqual([{ attributes: {}, value: 1 }]);
  expect(await points('crossfade.push.leases.reacquisitions')).toEqual([
    { attributes: { outcome: 'kept' }, value: 2 },
    { attributes: { outcome: 'lost' }, value: 3 },
    { attributes: { outcome: 'replaced' }, value: 0 },
  ]);
  expect(await points('crossfade.push.leases.unreleased')).toEqual([{ attributes: {}, value: 4 }]);
  await stop();
});
