import {
  Inject,
  Injectable,
  Logger,
  type BeforeApplicationShutdown,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import { Confirmation } from '../confirmation.js';
import { Delivery } from '../delivery.js';
import { Drain } from '../drain.js';
import { KeepAlive } from '../keep-alive.js';
import { PushMetrics } from '../metrics.js';
import type { ResolvedPushOptions } from '../options.js';
import { Peers } from '../peers.js';
import { PushPublisher } from '../publisher.js';
import { Reauthorization } from '../reauthorization.js';
import { PUSH_OPTIONS } from './options.token.js';

/** Starts reading the log with the program, and ends in the order that lets every stream be told. */
@Injectable()
export class PushLifecycle implements OnModuleInit, BeforeApplicationShutdown, OnApplicationShutdown {
  readonly #logger = new Logger('Push');

  constructor(
    @Inject(PUSH_OPTIONS) private readonly options: ResolvedPushOptions,
    private readonly delivery: Delivery,
    private readonly keepAlive: KeepAlive,
    private readonly peers: Peers,
    private readonly reauthorization: Reauthorization,
    private readonly confirmation: Confirmation,
    private readonly drain: Drain,
    private readonly publisher: PushPublisher,
    private readonly metrics: PushMetrics,
  ) {}

  async onModuleInit(): Promise<void> {
    await this.delivery.start();
    this.metrics.watch(this.delivery.expiry);
    for (const loop of this.#loops) {
      this.metrics.watch(loop);
      loop.start();
    }
    if (!this.options.enabled) this.#logger.warn('Push is switched off: both transports answer 404.');
  }

  /** What goes on for as long as there are streams. */
  get #loops() {
    return [this.keepAlive, this.peers, this.reauthorization, this.confirmation].map(({ loop }) => loop);
  }

  /** The HTTP server still answers meanwhile, and the log is still read: nobody misses what happens now. */
  async beforeApplicationShutdown(): Promise<void> {
    this.#logger.log(`Sending ${this.drain.open} open streams away, over ${this.options.drainSeconds} s.`);
    await this.drain.run();
    for (const loop of this.#loops) loop.stop();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.publisher.close();
    await this.options.log.close();
    this.delivery.stop();
    await this.options.leases.close();
  }
}
