import { limiterContract } from '../limiter.spec-kit.js';
import { memoryLimiter } from './limiter.js';

limiterContract('memoryLimiter', () => memoryLimiter);
