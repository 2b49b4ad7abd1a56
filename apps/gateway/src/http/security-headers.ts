import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RequestHandler } from 'express';
import helmet from 'helmet';

/** API responses are data: a browser that shows one as a page must run and load nothing. */
export const apiHeaders: RequestHandler = withPolicy({ defaultSrc: ["'none'"], sandbox: [] });

/**
 * Lets a page run its own files and what its build wrote into it, identified by hash: inline scripts of the page, and
 * style attributes in its scripts' templates. No other inline code, and no `eval`. The files are read once, so a new
 * build needs a restart.
 */
export function pageHeaders(folder: string): RequestHandler {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  const scripts = files.filter((file) => file.endsWith('.js')).map((file) => read(folder, file));
  return policyFor(
    allOf(read(folder, 'index.html'), /<script(?![^>]*\ssrc=)[^>]*>([^]*?)<\/script>/g),
    scripts.flatMap((script) => allOf(script, /<[a-z][^<>]*?\sstyle="([^"<>$]+)"/g)),
  );
}

/** The policy for pages of this origin with these inline scripts and style attributes. */
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
    // CORS decides whether pages of other origins may read a response.
    crossOriginResourcePolicy: { policy: 'cross-origin' },
    // That promise is for the proxy that terminates TLS.
    strictTransportSecurity: false,
  });
}

const read = (folder: string, file: string): string => readFileSync(join(folder, file), 'utf8');

const allOf = (text: string, pattern: RegExp): string[] =>
  [...text.matchAll(pattern)].map(([, found = '']) => found);

const hashesOf = (texts: readonly string[]): string[] =>
  [...new Set(texts)].map((text) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`);
