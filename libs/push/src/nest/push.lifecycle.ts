import {
  Inject,
  Injectable,
  Logger,
  type BeforeApplicationShutdown,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import { Admission } from '../admission.js';
import { Delivery } from '../delivery.js';
import { drain } from '../drain.js';
import { Hub } from '../hub.js';
import { KeepAlive } from '../keep-alive.js';
import type { ResolvedPushOptions } from '../options.js';
import { Publisher } from '../publisher.js';
import { PUSH_OPTIONS } from './options.token.js';

/** Starts reading the log with the program, and ends in the order that lets every stream be told. */
@Injectable()
export class PushLifecycle implements OnModuleInit, BeforeApplicationShutdown, OnApplicationShutdown {
  readonly #logger = new Logger('Push');

  constructor(
    @Inject(PUSH_OPTIONS) private readonly options: ResolvedPushOptions,
    private readonly delivery: Delivery,
    private readonly keepAlive: KeepAlive,
    private readonly admission: Admission,
    private readonly hub: Hub,
    private readonly publisher: Publisher,
  ) {}

  async onModuleInit(): Promise<void> {
    await this.delivery.start();
    this.keepAlive.start();
    if (!this.options.enabled) this.#logger.warn('Push is switched off: both transports answer 404.');
  }

  beforeApplicationShutdown(): void {
    drain(this.admission, this.hub);
    this.keepAlive.stop();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.publisher.close();
    await this.options.log.close();
    await this.options.leases.close();
  }
}
