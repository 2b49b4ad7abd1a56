import { createServer } from 'node:http';
import type { Socket } from 'node:net';
import { readMessages } from './read-messages.ts';

/*
 * The lower bound: plain Node, which frames each message once and writes the same bytes to every socket.
 * The messages of one request go out in one write.
 */
const streams = new Set<Socket>();
let sequence = 0;

const server = createServer((request, response) => {
  if (request.method === 'POST') {
    return void readMessages(request).then((messages) => {
      const blocks = messages.map((message) => {
        const block = Buffer.from(`data: ${JSON.stringify(message)}\nid: ${++sequence}\n\n`);
        return Buffer.concat([Buffer.from(`${block.length.toString(16)}\r\n`), block, Buffer.from('\r\n')]);
      });
      const bytes = Buffer.concat(blocks);
      for (const socket of streams) socket.write(bytes);
      response.writeHead(202).end();
    });
  }
  const { socket } = request;
  socket.setNoDelay(true);
  response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
  response.write(': hello\n\n');
  streams.add(socket);
  response.on('close', () => streams.delete(socket));
});
server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => {
  const address = server.address();
  process.send?.({ ready: typeof address === 'object' ? `http://127.0.0.1:${address?.port}` : '' });
});
