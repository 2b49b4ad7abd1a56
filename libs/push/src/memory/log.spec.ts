import { expect, it } from 'vitest';
import { messageLogContract } from '../log.spec-kit.js';
import { MemoryMessageLog } from './log.js';

messageLogContract('MemoryMessageLog', () => new MemoryMessageLog());

it('uses cursors that a later process does not know', async () => {
  const epochs = await Promise.all(Array.from({ length: 20 }, () => new MemoryMessageLog().head()));
  expect(new Set(epochs).size).toBe(20);
});
