import { randomUUID } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SignJWT, exportJWK, generateKeyPair, type CryptoKey } from 'jose';

export interface Person {
  readonly id: string;
  /** The shops that the person works for. */
  readonly shops?: readonly string[];
  /** Seconds. */
  readonly validFor?: number;
}

/** A small identity provider, to try the example without your own: a key, and the URL where it is published. */
export class SampleIssuer {
  readonly audience = 'orders';

  private constructor(
    private readonly server: Server,
    private readonly key: CryptoKey,
  ) {}

  static async start(port = 0): Promise<SampleIssuer> {
    const { privateKey, publicKey } = await generateKeyPair('ES256');
    const keys = JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), alg: 'ES256', use: 'sig' }] });
    const server = createServer((_request, response) => {
      response.writeHead(200, { 'Content-Type': 'application/jwk-set+json' }).end(keys);
    });
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    return new SampleIssuer(server, privateKey);
  }

  get issuer(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  get jwksUrl(): string {
    return `${this.issuer}/jwks.json`;
  }

  token({ id, shops = [], validFor = 3600 }: Person): Promise<string> {
    return new SignJWT({ shops })
      .setProtectedHeader({ alg: 'ES256' })
      .setSubject(id)
      .setJti(randomUUID())
      .setIssuer(this.issuer)
      .setAudience(this.audience)
      .setExpirationTime(Math.floor(Date.now() / 1000) + validFor)
      .sign(this.key);
  }

  stop(): Promise<void> {
    return new Promise((resolve) => this.server.close(() => resolve()));
  }
}
