import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { PushWsAdapter } from '@crossfade/push/nest';
import { AppModule } from './app.module.js';

const app = await NestFactory.create(AppModule);
app.useWebSocketAdapter(new PushWsAdapter(app));
app.enableShutdownHooks();
await app.listen(Number(process.env['PORT'] ?? 7120), '127.0.0.1');
// Tells a parent process the URL.
process.send?.({ ready: await app.getUrl() });
