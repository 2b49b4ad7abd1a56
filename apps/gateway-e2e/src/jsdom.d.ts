/** The part of jsdom that is used. Its own types include those of a browser, which are wrong for Node's `fetch`. */
declare module 'jsdom' {
  export const VirtualConsole: new () => object;
  export class JSDOM {
    constructor(html: string, options: { readonly url: string; readonly virtualConsole: object });
    readonly window: { readonly XMLHttpRequest: unknown; close(): void };
  }
}
