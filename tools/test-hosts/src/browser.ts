import type { Browser, BrowserServer, LaunchOptions } from 'playwright-core';
import { OwnFolder } from './keeper.ts';
import { findProgram, type Program } from './program.ts';

/** What each is, and how it is started. */
const programs = {
  Chromium: {
    type: 'chromium',
    program: {
      name: 'Chromium',
      files: ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'],
      setting: 'CHROMIUM_PATH',
      package: 'chromium',
    },
    options: {
      args: [
        // As root it needs to go without a sandbox.
        ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
        '--disable-gpu',
        '--disable-quic',
        // Without these it looks for its maker's hosts at every start.
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    },
  },
  Firefox: {
    type: 'firefox',
    program: {
      name: 'Firefox',
      files: ['firefox-esr', 'firefox'],
      setting: 'FIREFOX_PATH',
      package: 'firefox-esr',
    },
    // Any Firefox, by WebDriver BiDi. Playwright's own protocol is spoken only by builds of its own.
    options: { channel: 'moz-firefox' },
  },
} satisfies Record<string, { type: 'chromium' | 'firefox'; program: Program; options: LaunchOptions }>;

export type BrowserName = keyof typeof programs;
export const browserNames = Object.keys(programs) as BrowserName[];

/**
 * A real browser, as it is installed.
 *
 * The version of playwright-core is the one made for Debian's Chromium. A later one asks a browser for what Debian's Firefox
 * does not know yet, and opens no page in it.
 */
export class BrowserHost {
  private constructor(
    /** Of the browser itself. */
    readonly pid: number,
    readonly browser: Browser,
    private readonly server: BrowserServer,
    private readonly own: OwnFolder,
  ) {}

  static async start(name: BrowserName = 'Chromium'): Promise<BrowserHost> {
    // Not before a browser is wanted: it is large, and most suites want none.
    const playwright = await import('playwright-core');
    const { type, program, options } = programs[name];
    const own = new OwnFolder(type);
    const server = await playwright[type].launchServer({ executablePath: findProgram(program), ...options });
    const child = server.process();
    // Unlike Chromium, Firefox does not notice that nobody drives it any more.
    own.isUsedBy(child);
    return new BrowserHost(child.pid ?? 0, await playwright[type].connect(server.wsEndpoint()), server, own);
  }

  async stop(): Promise<void> {
    await this.server.close();
    this.own.giveBack();
  }
}
