import {
  Inject,
  Injectable,
  Logger,
  type BeforeApplicationShutdown,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import { Delivery } from '../delivery.js';
import { Drain } from '../drain.js';
import { KeepAlive } from '../keep-alive.js';
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
    private readonly drain: Drain,
    private readonly publisher: PushPublisher,
  ) {}

  async onModuleInit(): Promise<void> {
    await this.delivery.start();
    this.keepAlive.start();
    this.peers.start();
    this.reauthorization.start();
    if (!this.options.enabled) this.#logger.warn('Push is switched off: both transports answer 404.');
  }

  /** The HTTP server still answers meanwhile, and the log is still read: nobody misses what happens now. */
  async beforeApplicationShutdown(): Promise<void> {
    this.#logger.log(`Sending ${this.drain.open} open streams away, over ${this.options.drainSeconds} s.`);
    await this.drain.run();
    this.keepAlive.stop();
    this.peers.stop();
    this.reauthorization.stop();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.publisher.close();
    await this.options.log.close();
    this.delivery.stop();
    await this.options.leases.close();
  }
}
