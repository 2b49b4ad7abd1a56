/**
 * What this machine lacks, as one sentence, or undefined. The program itself runs on the Node of the lock file where the
 * platform has one; on macOS it runs on the machine's own.
 */
export function requirement(nodeVersion, platform, npmUserAgent) {
  const least = platform === 'darwin' ? [24, 9] : [20, 19];
  if (isOlder(nodeVersion.replace(/^v/, ''), least)) {
    return (
      'Crossfade needs Node ' +
      least.join('.') +
      ' or later, and this is ' +
      nodeVersion +
      ': install a newer one from https://nodejs.org.'
    );
  }
  const npm = /^npm\/([0-9.]+)/.exec(npmUserAgent || '');
  if (npm !== null && isOlder(npm[1], [10, 0])) {
    return 'Crossfade needs npm 10 or later, and this is ' + npm[1] + ': run "npm install -g npm@latest".';
  }
  return undefined;
}

function isOlder(version, least) {
  const [major, minor] = version.split('.').map(Number);
  return major < least[0] || (major === least[0] && minor < least[1]);
}
