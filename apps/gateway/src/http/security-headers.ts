import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { RequestHandler } from 'express';
import helmet from 'helmet';

/** What the API answers is data: a browser that shows it as a page must run and load nothing. */
export const apiHeaders: RequestHandler = withPolicy({ defaultSrc: ["'none'"], sandbox: [] });

/**
 * A page may run its own files and what its build wrote into it, known by hash; nothing inline beside that, and no
 * text as code. Read once: a page that was built anew needs a restart.
 */
export const pageHeaders = (page: string): RequestHandler => policyFor(inlineScripts(page));

/** For pages of this origin that have these scripts written into them. */
export function policyFor(scripts: readonly string[]): RequestHandler {
  return withPolicy({
    defaultSrc: ["'none'"],
    scriptSrc: ["'self'", ...scripts.map((script) => `'sha256-${sha256(script)}'`)],
    styleSrc: ["'self'"],
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

function inlineScripts(page: string): string[] {
  return [...readFileSync(page, 'utf8').matchAll(/<script(?![^>]*\ssrc=)[^>]*>([^]*?)<\/script>/g)].map(
    ([, script = '']) => script,
  );
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('base64');
