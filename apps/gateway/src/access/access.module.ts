import { Module } from '@nestjs/common';
import { GatewayAuthenticator } from './authenticator.js';
import { Tokens } from './tokens.js';

/** Authentication, for the API and for push. */
@Module({ providers: [Tokens, GatewayAuthenticator], exports: [Tokens, GatewayAuthenticator] })
export class AccessModule {}
