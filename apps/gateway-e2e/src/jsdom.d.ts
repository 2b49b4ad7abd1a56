/** What is used of jsdom. Its own types bring those of a browser, which are not true of Node's `fetch`. */
declare module 'jsdom' {
  export const VirtualConsole: new () => object;
  export class JSDOM {
    constructor(html: string, options: { readonly url: string; readonly virtualConsole: object });
    readonly window: { readonly XMLHttpRequest: unknown; close(): void };
  }
}
