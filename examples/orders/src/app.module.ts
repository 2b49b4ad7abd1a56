import { Module, StandardSchemaValidationPipe } from '@nestjs/common';
import { APP_PIPE } from '@nestjs/core';
import { PushModule } from '@crossfade/push/nest';
import { catalog } from './catalog.js';
import { JwtAuthenticator } from './jwt-authenticator.js';
import { OrdersController } from './orders.controller.js';
import { readSettings } from './settings.js';

@Module({
  imports: [
    PushModule.forRootAsync({
      useFactory: () => ({ catalog, authenticator: new JwtAuthenticator(readSettings(process.env)) }),
    }),
  ],
  controllers: [OrdersController],
  providers: [{ provide: APP_PIPE, useClass: StandardSchemaValidationPipe }],
})
export class AppModule {}
