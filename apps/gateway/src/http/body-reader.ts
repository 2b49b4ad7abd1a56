import type { IncomingMessage } from 'node:http';
import type { Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import { bodyLimits } from './body-limits.js';
import type { HeldBody } from './body-memory.js';
import { ProblemException } from './problem.js';

/** Any body may inflate to this many bytes: a batch of equal events compresses very well. */
const FREE_BYTES = 1024 * 1024;
/** Beyond that, the most uncompressed bytes for each compressed one. A decompression bomb has a thousand. */
const MOST_RATIO = 100;

const decompressors: Readonly<Record<string, () => Transform>> = {
  gzip: createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
};

/**
 * Reads and decompresses a body. Stops at the first limit that it exceeds, and leaves the rest in the socket.
 * @throws ProblemException 400, 408, 413, 415, 429 or 503
 */
export async function readBytes(
  request: IncomingMessage,
  { limit, seconds, held }: { limit: number; seconds: number; held: HeldBody },
): Promise<readonly Buffer[]> {
  const chunks: Buffer[] = [];
  const encoding = (request.headers['content-encoding'] ?? 'identity').toLowerCase();
  const reading = new Reading(request, encoding, seconds);
  let read = 0;
  await reading.run((chunk, compressed) => {
    read += chunk.length;
    if (read > limit) throw tooLarge();
    if (encoding !== 'identity' && read > Math.max(FREE_BYTES, compressed * MOST_RATIO))
      throw new ProblemException(
        413,
        `The body is compressed more than ${MOST_RATIO} times; send it in smaller parts, or uncompressed.`,
      );
    held.grow(chunk.length);
    chunks.push(chunk);
  });
  return chunks;
}

/** UTF-8 by its names, and ASCII, which is a subset of it. */
const READ_AS_UTF8 = /^(?:utf-?8|(?:us-)?ascii)$/i;

/** Refuses a body by its headers, before it is read. @throws ProblemException 413 or 415 */
export function refuseByHeaders({ headers }: IncomingMessage, limit: number): void {
  const encoding = (headers['content-encoding'] ?? 'identity').toLowerCase();
  if (encoding !== 'identity' && decompressors[encoding] === undefined) throw notRead();
  const charset = /charset="?([^\s";]{1,40})/i.exec(headers['content-type'] ?? '')?.[1] ?? 'utf-8';
  if (!READ_AS_UTF8.test(charset)) throw notRead();
  if (Number(headers['content-length'] ?? 0) > limit) throw tooLarge();
}

const notRead = () =>
  new ProblemException(415, 'Send JSON in UTF-8, plain or compressed by gzip, deflate or br.');

const tooLarge = () => {
  const [events, published, others] = Object.values(bodyLimits).map((bytes) => bytes / 1024);
  return new ProblemException(
    413,
    `The body is too large: events may take ${Number(events) / 1024} MiB, published messages ${Number(published) / 1024} MiB, everything else ${others} KiB.`,
  );
};

/** Reads one body through its decompressor, with a deadline. */
class Reading {
  readonly #decompressor: Transform | undefined;
  #compressed = 0;

  constructor(
    private readonly request: IncomingMessage,
    encoding: string,
    private readonly seconds: number,
  ) {
    this.#decompressor = decompressors[encoding]?.();
  }

  /** Calls `take` with each chunk, and the bytes received on the wire so far. If it throws, reading ends. */
  run(take: (chunk: Buffer, compressed: number) => void): Promise<void> {
    const { request } = this;
    const source = this.#decompressor ?? request;
    return new Promise<void>((resolve, reject) => {
      const late = setTimeout(() => fail(this.#late()), this.seconds * 1000);
      const end = (settle: () => void) => {
        clearTimeout(late);
        request.off('data', onWire).off('close', onCut).off('error', onCut).pause();
        source.off('data', onPiece).off('end', onEnd);
        if (this.#decompressor !== undefined) {
          request.unpipe(this.#decompressor);
          // It keeps its error listener: an error may still come.
          this.#decompressor.destroy();
        }
        settle();
      };
      const fail = (error: unknown) =>
        end(() => reject(error instanceof Error ? error : new Error(String(error))));
      const onWire = (chunk: Buffer) => void (this.#compressed += chunk.length);
      const onPiece = (chunk: Buffer) => {
        try {
          take(chunk, this.#compressed);
        } catch (error) {
          fail(error);
        }
      };
      const onCut = () => {
        // If the body is complete, the decompressor goes on.
        if (!request.complete) fail(new ProblemException(400, 'The body ended before its announced length.'));
      };
      const onEnd = () => end(resolve);
      request.on('data', onWire).on('close', onCut).on('error', onCut);
      source.on('data', onPiece).on('end', onEnd);
      this.#decompressor?.on('error', () =>
        fail(new ProblemException(400, 'The body is not compressed as its Content-Encoding says.')),
      );
      if (this.#decompressor !== undefined) request.pipe(this.#decompressor);
    });
  }

  #late(): ProblemException {
    return new ProblemException(
      408,
      `The body did not arrive within ${this.seconds} seconds; send a smaller one, or send faster.`,
    );
  }
}
