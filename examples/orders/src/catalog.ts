import { organization, user, type Catalog, type CatalogEntry } from '@crossfade/protocol';
import { z } from 'zod';

const orderChanged = z.object({
  order_id: z.uuid(),
  shop_id: z.string(),
  status: z.enum(['placed', 'shipped']),
});
const orderShipped = z.object({ order_id: z.uuid(), customer_id: z.string(), carrier: z.string() });

/** The messages that this program pushes: who may see each, and how it is delivered. */
export const catalog = {
  /** Tells the shop's staff that their screen is stale. Only the last change of an order matters. */
  OrderChanged: {
    schema: orderChanged,
    audience: ({ shop_id }) => [organization(shop_id)],
    delivery: 'invalidation',
    key: ({ order_id }) => order_id,
  } satisfies CatalogEntry<z.infer<typeof orderChanged>>,
  /** Tells the customer. It must arrive, even if the phone is in a tunnel right now. */
  OrderShipped: {
    schema: orderShipped,
    audience: ({ customer_id }) => [user(customer_id)],
    delivery: 'critical',
  } satisfies CatalogEntry<z.infer<typeof orderShipped>>,
} satisfies Catalog;
