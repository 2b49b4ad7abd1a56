import type { Asked } from '../operations.ts';
import type { World } from '../world.ts';

export type Ask = (world: World) => Asked | Promise<Asked>;

/** A request of a route that succeeds, its status, and requests for the refusals that only this route has. */
interface Exercise {
  readonly good: Ask;
  readonly is: number;
  readonly also?: Readonly<Record<number, Ask>>;
}

/** By method and path. */
export type Exercises = Readonly<Record<string, Exercise>>;

export const asMember: Ask = ({ member }) => ({ as: member });
export const asAdministrator: Ask = ({ admin }) => ({ as: admin });
export const ofOrganization: Ask = ({ member, own }) => ({ as: member, path: { id: own.organizations } });
export const ofProject: Ask = ({ member, own }) => ({ as: member, path: { id: own.projects } });
export const asGuest = async ({ guest }: World) => ({ as: (await guest()).client });
