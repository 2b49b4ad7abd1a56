import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { RuntimeNodeInstrumentation } from '@opentelemetry/instrumentation-runtime-node';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import type { Settings } from './settings.js';
import { couldNotListen } from './startup-error.js';

/** The program's metrics. Prometheus reads them from a listener of its own, which users cannot reach. */
export interface Metrics {
  readonly provider: MeterProvider;
  /** Also closes the listener. Call it last, so that a drain can be watched. */
  close(): Promise<void>;
}

/** @throws StartupError if nothing can listen on `METRICS_PORT` */
export async function startMetrics({ METRICS_PORT, HOST, REPLICA_NAME }: Settings): Promise<Metrics> {
  if (METRICS_PORT === 0) {
    const provider = new MeterProvider();
    return { provider, close: () => provider.shutdown() };
  }
  const exporter = new PrometheusExporter({
    port: METRICS_PORT,
    host: HOST,
    preventServerStart: true,
    withoutScopeInfo: true,
    withoutTargetInfo: true,
    // On every series, since who collects those of several replicas may drop where each came from.
    withResourceConstantLabels: /^replica$/,
  });
  const resource = resourceFromAttributes({ replica: REPLICA_NAME });
  const provider = new MeterProvider({ resource, readers: [exporter] });
  const runtime = new RuntimeNodeInstrumentation();
  runtime.setMeterProvider(provider);
  try {
    await exporter.startServer();
  } catch (error) {
    throw couldNotListen(error, 'METRICS_PORT', METRICS_PORT, HOST);
  }
  return {
    provider,
    close: async () => {
      runtime.disable();
      await provider.shutdown();
    },
  };
}
