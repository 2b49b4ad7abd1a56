/** Node's own message: Fastify's requests and replies wrap it. */
export const raw = <Message extends object>(message: Message & { readonly raw?: Message }): Message =>
  message.raw ?? message;
