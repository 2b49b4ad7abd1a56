import { StandardSchemaValidationPipe } from '@nestjs/common';
import { invalid } from './problem.js';

/** Reads every parameter with the schema that it names; a fault is a 400 that says where and what. */
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
