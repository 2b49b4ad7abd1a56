import { StandardSchemaValidationPipe } from '@nestjs/common';
import { z } from 'zod';
import { invalid } from './problem.js';

const KINDS: Readonly<Record<string, string>> = {
  array: 'an array',
  boolean: 'true or false',
  int: 'a whole number',
  number: 'a number',
  object: 'an object',
  record: 'an object',
  string: 'a string',
};

/** Words the faults of missing values and wrong types like those of our own schemas; for the protocol's messages, too. */
z.config({
  customError: (issue) => {
    if (issue.code === 'invalid_format' && issue.format === 'datetime')
      return 'must be a date in UTC, like 2030-01-31T09:00:00Z';
    if (issue.code !== 'invalid_type') return undefined;
    const { input, expected } = issue;
    return input === undefined ? 'is missing' : `must be ${KINDS[expected] ?? expected}`;
  },
});

/** Reads every parameter with its schema. A fault is a 400 that says where and what. */
export class ValidationPipe extends StandardSchemaValidationPipe {
  constructor() {
    super({
      exceptionFactory: (issues) =>
        invalid(
          issues.map(({ path, message }) => ({
            path: (path ?? []).map((part) => String(typeof part === 'object' ? part.key : part)).join('.'),
            message,
          })),
        ),
    });
  }
}
