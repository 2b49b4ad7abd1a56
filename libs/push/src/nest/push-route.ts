import type { ExecutionContext } from '@nestjs/common';
import { PushController } from './push.controller.js';

/**
 * Whether a route is the library's own, which admits and limits by itself: a program's global guards and interceptors let it
 * pass by this, and not by comparing its path.
 */
export const isPushRoute = (context: ExecutionContext): boolean => context.getClass() === PushController;
