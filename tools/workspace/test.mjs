// Stays readable for old versions of Node, so that they print one sentence instead of a syntax error.
import { requirement } from './requirement.mjs';

const unmet = requirement(process.version, process.platform, process.env.npm_config_user_agent);
if (unmet === undefined) import('./run-tests.mjs');
else {
  console.error(unmet);
  process.exitCode = 1;
}
