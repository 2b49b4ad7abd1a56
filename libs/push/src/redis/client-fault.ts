import { ConnectionTimeoutError, SocketClosedUnexpectedlyError } from '@redis/client';
import { DeadlineError } from '../deadline.js';
import { hostsOf, type RedisAddress } from './address.js';
import { denied, RedisFault } from './fault.js';

/** Says in a sentence why Redis cannot be used, without a secret. Another error is returned as it is. */
export function asFault(error: unknown, address: RedisAddress): unknown {
  if (error instanceof RedisFault || !(error instanceof Error)) return error;
  const redis = `Redis at ${hostsOf(address)}`;
  const { message } = error;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (/^(?:WRONGPASS|ERR AUTH|ERR invalid password)/.test(message)) {
    return new RedisFault(`${redis} refuses the user or the password of its address.`);
  }
  if (message.startsWith('NOAUTH')) {
    return new RedisFault(`${redis} wants a password; its address must have user:password@ before the host.`);
  }
  const [, command] = /^(?:NOPERM|ERR).*no permissions to run the '([^']+)' command/.exec(message) ?? [];
  if (command !== undefined) {
    return new RedisFault(denied(address, command.replace('|', ' ').toUpperCase()));
  }
  if (message.startsWith('NOPERM')) return new RedisFault(denied(address, 'any command'));
  if (message.includes('cluster support disabled')) {
    return new RedisFault(
      `${redis} is no Cluster; its address must start with redis:// or, behind Sentinels, redis+sentinel://.`,
    );
  }
  // Redis reads the first bytes of TLS as a command, and answers them with an error or not at all.
  if (/WRONG_VERSION|PACKET_LENGTH/.test(code) || (address.tls && error instanceof ConnectionTimeoutError)) {
    return new RedisFault(
      `${redis} does not answer by TLS; if it does not speak it, its address must start with redis instead of rediss.`,
    );
  }
  if (/CERT|SELF_SIGNED|UNABLE_TO_VERIFY|ALTNAME/.test(code)) {
    return new RedisFault(
      `${redis} has a certificate that is not trusted (${code}); name its authority in NODE_EXTRA_CA_CERTS.`,
    );
  }
  if (error instanceof SocketClosedUnexpectedlyError || /ECONNRESET|EPIPE/.test(code)) {
    return new RedisFault(
      `${redis} closes each connection at once${address.tls ? '' : '; if it wants TLS, its address must start with rediss'}.`,
    );
  }
  if (error instanceof DeadlineError) return new RedisFault(`${redis} does not answer.`);
  if (/^E[A-Z_]+$/.test(code) || error instanceof ConnectionTimeoutError) {
    return new RedisFault(`${redis} cannot be reached (${code || 'timeout'}).`);
  }
  return new RedisFault(`${redis} cannot be used (${message}).`);
}
