import type { Browser, BrowserServer, LaunchOptions } from 'playwright-core';
import { OwnFolder } from './keeper.ts';
import { findProgram, type Program } from './program.ts';

/** The browsers, and how each is started. */
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
        // As root, Chromium starts only without its sandbox.
        ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
        '--disable-gpu',
        '--disable-quic',
        // Without these, it contacts its maker's hosts at every start.
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
    // WebDriver BiDi drives any Firefox. Only Playwright's own builds speak its own protocol.
    options: { channel: 'moz-firefox' },
  },
} satisfies Record<string, { type: 'chromium' | 'firefox'; program: Program; options: LaunchOptions }>;

export type BrowserName = keyof typeof programs;
export const browserNames = Object.keys(programs) as BrowserName[];

/**
 * A real browser, as installed.
 *
 * The version of playwright-core matches Debian's Chromium. A later one uses commands that Debian's Firefox does not know
 * yet, and opens no page in it.
 */
export class BrowserHost {
  private constructor(
    /** The version of the browser itself. */
    readonly pid: number,
    readonly browser: Browser,
    private readonly server: BrowserServer,
    private readonly own: OwnFolder,
  ) {}

  static async start(name: BrowserName = 'Chromium'): Promise<BrowserHost> {
    // Loaded only for a browser: it is large, and most suites need none.
    const playwright = await import('playwright-core');
    const { type, program, options } = programs[name];
    const own = new OwnFolder(type);
    const server = await playwright[type].launchServer({ executablePath: findProgram(program), ...options });
    const child = server.process();
    // Unlike Chromium, Firefox does not notice that its driver has disconnected.
    own.isUsedBy(child);
    return new BrowserHost(child.pid ?? 0, await playwright[type].connect(server.wsEndpoint()), server, own);
  }

  async stop(): Promise<void> {
    await this.server.close();
    this.own.giveBack();
  }
}
