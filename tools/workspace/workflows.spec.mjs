import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const folder = fileURLToPath(new URL('../../.github/workflows', import.meta.url));
const workflows = readdirSync(folder).map((name) => [name, readFileSync(`${folder}/${name}`, 'utf8')]);

const depthOf = (line) => line.search(/[^ ]/);
const isEmpty = (line) => line.trim() === '' || line.trim().startsWith('#');

/** The keys above a line, the outermost first. */
function keysAbove(lines, index) {
  const keys = [];
  let depth = depthOf(lines[index]);
  for (let above = index - 1; above >= 0; above -= 1) {
    if (isEmpty(lines[above]) || depthOf(lines[above]) >= depth) continue;
    depth = depthOf(lines[above]);
    keys.unshift(lines[above].trim().replace(/^- /, '').split(':', 1)[0]);
  }
  return keys;
}

/** The faults of a workflow: an action that a tag could move, an expression that a shell reads, an unneeded permission. */
function faultsOf(text) {
  const lines = text.split('\n');
  const faults = lines.flatMap((line, index) => {
    const found = [];
    const where = `line ${index + 1}`;
    if (/^\s*(- )?uses:/.test(line) && !/uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(line))
      found.push(`${where}: the action is not pinned to a commit with its version in a comment`);
    if (line.includes('${{') && !isEmpty(line) && !['env', 'with'].includes(keysAbove(lines, index).at(-1)))
      found.push(`${where}: the expression is not in env or with`);
    if (/^\s*[\w-]+: *write/.test(line) && keysAbove(lines, index).includes('permissions'))
      found.push(`${where}: nothing here needs to write`);
    if (/permissions: *\S*-all/.test(line)) found.push(`${where}: all rights at once`);
    return found;
  });
  return /^permissions: \{\}$/m.test(text) ? faults : [...faults, 'the workflow begins with rights'];
}

it.each(workflows)(
  '%s pins its actions, gives no expression to a shell, and asks for no permission that it does not need',
  (_name, text) => {
    expect(faultsOf(text)).toEqual([]);
  },
);

const PIN = 'actions/checkout@11bd71901bbe5b1630ceea73d27597364c9af683 # v4.2.2';
const workflow = (step, job = 'contents: read') =>
  `permissions: {}\njobs:\n  one:\n    permissions:\n      ${job}\n    steps:\n${step}\n`;

it.each([
  ['a tag', workflow('      - uses: actions/checkout@v4'), 'not pinned'],
  ['a commit without its version', workflow(`      - uses: ${PIN.split(' ')[0]}`), 'not pinned'],
  ['a branch', workflow('      - name: it\n        uses: some/action@main'), 'not pinned'],
  ['an expression in a run', workflow('      - run: echo ${{ github.head_ref }}'), 'expression'],
  [
    'one in a block',
    workflow('      - run: |\n          set -e\n          echo "${{ github.actor }}"'),
    'expression',
  ],
  [
    'one in a folded block',
    workflow('      - run: >-\n          echo\n          ${{ inputs.name }}'),
    'expression',
  ],
  ['a right to write', workflow(`      - uses: ${PIN}`, 'contents: write'), 'write'],
  [
    'all rights',
    workflow(`      - uses: ${PIN}`).replace('permissions: {}', 'permissions: write-all'),
    'rights',
  ],
])('finds %s', (_what, text, fault) => {
  expect(faultsOf(text).join()).toContain(fault);
});

it('allows an expression where no shell reads it', () => {
  const text = workflow(
    `      - uses: ${PIN}\n        with:\n          ref: \${{ github.ref }}\n      - run: echo "$NAME"\n        env:\n          NAME: \${{ github.head_ref }}`,
  );
  expect(faultsOf(text)).toEqual([]);
});
