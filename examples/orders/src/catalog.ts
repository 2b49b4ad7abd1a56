import { organization, user, type Catalog, type CatalogEntry } from '@crossfade/protocol';
import { z } from 'zod';

const orderChanged = z.object({
  order_id: z.uuid(),
  shop_id: z.string(),
  status: z.enum(['placed', 'shipped']),
});
const orderShipped = z.object({ order_id: z.uuid(), customer_id: z.string(), carrier: z.string() });

/** What this program pushes: two messages, and for each who may see it and how it is delivered. */
export const catalog = {
  /** The shop's staff: what they have on the screen is stale. Of one order, only the last change is worth telling. */
  OrderChanged: {
    schema: orderChanged,
    audience: ({ shop_id }) => [organization(shop_id)],
    delivery: 'invalidation',
    key: ({ order_id }) => order_id,
  } satisfies CatalogEntry<z.infer<typeof orderChanged>>,
  /** The customer: must arrive, also if the phone is in a tunnel just now. */
  OrderShipped: {
    schema: orderShipped,
    audience: ({ customer_id }) => [user(customer_id)],
    delivery: 'critical',
  } satisfies CatalogEntry<z.infer<typeof orderShipped>>,
} satisfies Catalog;
