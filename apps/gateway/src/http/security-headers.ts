import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RequestHandler } from 'express';
import helmet from 'helmet';

/** What the API answers is data: a browser that shows it as a page must run and load nothing. */
export const apiHeaders: RequestHandler = withPolicy({ defaultSrc: ["'none'"], sandbox: [] });

/**
 * A page may run its own files and what its build wrote into it, known by hash: scripts of the page, and style
 * attributes in its scripts' templates. Nothing inline beside that, and no text as code. Read once: a page that was
 * built anew needs a restart.
 */
export function pageHeaders(folder: string): RequestHandler {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  const scripts = files.filter((file) => file.endsWith('.js')).map((file) => read(folder, file));
  return policyFor(
    allOf(read(folder, 'index.html'), /<script(?![^>]*\ssrc=)[^>]*>([^]*?)<\/script>/g),
    scripts.flatMap((script) => allOf(script, /<[a-z][^<>]*?\sstyle="([^"<>$]+)"/g)),
  );
}

/** For pages of this origin that have these scripts and style attributes written into them. */
export function policyFor(scripts: readonly string[] = [], styles: readonly string[] = []): RequestHandler {
  return withPolicy({
    defaultSrc: ["'none'"],
    scriptSrc: ["'self'", ...hashesOf(scripts)],
    styleSrc: ["'self'"],
    styleSrcAttr: styles.length === 0 ? ["'none'"] : ["'unsafe-hashes'", ...hashesOf(styles)],
    imgSrc: ["'self'", 'data:'],
    fontSrc: ["'self'"],
    connectSrc: ["'self'"],
    manifestSrc: ["'self'"],
    formAction: ["'none'"],
  });
}

type Directives = Record<string, string[]>;

function withPolicy(directives: Directives): RequestHandler {
  return helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: { ...directives, baseUri: ["'none'"], frameAncestors: ["'none'"] },
    },
    referrerPolicy: { policy: 'no-referrer' },
    frameguard: { action: 'deny' },
    // Whether pages of other origins may read an answer is CORS' concern.
    crossOriginResourcePolicy: { policy: 'cross-origin' },
    // For whoever speaks TLS for us to promise.
    strictTransportSecurity: false,
  });
}

const read = (folder: string, file: string): string => readFileSync(join(folder, file), 'utf8');

const allOf = (text: string, pattern: RegExp): string[] =>
  [...text.matchAll(pattern)].map(([, found = '']) => found);

const hashesOf = (texts: readonly string[]): string[] =>
  [...new Set(texts)].map((text) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`);
