import { randomUUID } from 'node:crypto';
import { Body, ConflictException, Controller, NotFoundException, Param, Post } from '@nestjs/common';
import { PushPublisher } from '@crossfade/push';
import { z } from 'zod';
import type { catalog } from './catalog.js';

const newOrder = z.object({ shop_id: z.string(), customer_id: z.string() });
const shipment = z.object({ carrier: z.string() });

interface Order extends z.infer<typeof newOrder> {
  readonly id: string;
  status: 'placed' | 'shipped';
}

/** Orders, in memory. The callers are the shop's own, whose authentication is not part of this example. */
@Controller('orders')
export class OrdersController {
  readonly #orders = new Map<string, Order>();

  constructor(private readonly push: PushPublisher<typeof catalog>) {}

  @Post()
  async place(@Body({ schema: newOrder }) body: z.infer<typeof newOrder>): Promise<Order> {
    const order: Order = { id: randomUUID(), ...body, status: 'placed' };
    this.#orders.set(order.id, order);
    await this.#changed(order);
    return order;
  }

  @Post(':id/ship')
  async ship(
    @Param('id') id: string,
    @Body({ schema: shipment }) { carrier }: z.infer<typeof shipment>,
  ): Promise<Order> {
    const order = this.#orders.get(id);
    if (order === undefined) throw new NotFoundException(`There is no order ${id}.`);
    if (order.status === 'shipped') throw new ConflictException(`Order ${id} has been shipped.`);
    order.status = 'shipped';
    await this.#changed(order);
    await this.push.publish({
      type: 'OrderShipped',
      message: { order_id: id, customer_id: order.customer_id, carrier },
    });
    return order;
  }

  #changed({ id, shop_id, status }: Order): Promise<void> {
    return this.push.publish({ type: 'OrderChanged', message: { order_id: id, shop_id, status } });
  }
}
