import type { Prepared } from '@crossfade/push';
import { forbidden } from '../http/problem.js';
import type { ServiceCaller } from '../access/caller.js';

/**
 * What another service may publish: no message with an effect, which would change what connections may see; and with a
 * token of an organization, only messages for that organization.
 * @throws ProblemException 403
 */
export function refuseUnpublishable(
  { organizationId }: Pick<ServiceCaller, 'organizationId'>,
  { entry, envelope, stamped }: Prepared,
): void {
  if (entry.effect !== undefined) {
    throw forbidden(
      `${envelope.type} changes what connections may see; only the gateway itself publishes it.`,
    );
  }
  const isForeign = stamped?.audience.some((one) => one.kind !== 'organization' || one.id !== organizationId);
  if (organizationId !== undefined && isForeign === true) {
    throw forbidden(
      `The token publishes to organization ${organizationId} only; ${envelope.type} is for others.`,
    );
  }
}
