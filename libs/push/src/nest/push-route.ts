import type { ExecutionContext } from '@nestjs/common';
import { PushRoutes } from './push.controller.js';

/**
 * Whether a route is the library's own, which admits and limits by itself. A program's global guards and interceptors ask
 * this, so that they need not compare paths.
 */
export const isPushRoute = (context: ExecutionContext): boolean =>
  context.getClass().prototype instanceof PushRoutes;
