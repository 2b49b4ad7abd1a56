import { clientLibraries } from './exercises/client-libraries.ts';
import type { Exercises } from './exercises/exercise.ts';
import { organizations } from './exercises/organizations.ts';
import { people } from './exercises/people.ts';
import { push } from './exercises/push.ts';
import { stacks } from './exercises/stacks.ts';

/** Every route of the API, as `docs/api.md` lists them. A route without an exercise fails the suite. */
export const exercises: Exercises = {
  'GET /health': { good: () => ({}), is: 200 },
  'GET /health/live': { good: () => ({}), is: 200 },
  'GET /health/ready': { good: () => ({}), is: 200 },
  ...people,
  ...organizations,
  ...clientLibraries,
  ...stacks,
  ...push,
};
