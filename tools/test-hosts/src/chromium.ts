import { findProgram } from './program.ts';

/** Where Chromium is. @throws if it is not installed. */
export const chromiumPath = (): string =>
  findProgram({
    name: 'Chromium',
    files: ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'],
    setting: 'CHROMIUM_PATH',
    package: 'chromium',
  });

/** Without these it looks for its maker's hosts at every start; as root it needs to go without a sandbox. */
export const chromiumArguments: readonly string[] = [
  ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
