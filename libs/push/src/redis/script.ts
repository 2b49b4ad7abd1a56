import { createHash } from 'node:crypto';

/** A Lua script. Redis knows it by its hash, once it has run. */
export class Script {
  readonly sha: string;

  constructor(readonly source: string) {
    this.sha = createHash('sha1').update(source).digest('hex');
  }
}
