import { readFileSync, statSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** How the repository's own code is found: `.js` names a `.ts` file, and a library is read from its source. */
const options = {
  allowJs: true,
  customConditions: ['@crossfade/source'],
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
};
const resolutions = ts.createModuleResolutionCache(root, (name) => name, options);

/**
 * No file imports itself through others. A type import, an export from another file and a dynamic import count like any
 * other: either way, the files cannot be understood apart.
 */
const noImportCircles = rule((file, path, importsOf) => {
  const route = shortestRoute(path, file, importsOf);
  return route && [file, ...route];
});

/**
 * The folders of a project's `src` import one way. Files that stand in none count for themselves, folders in a folder
 * belong to it. Tests may import from anywhere.
 */
const noFolderCircles = rule((file, path, importsOf) => {
  const from = unitOf(file);
  const to = unitOf(path);
  if (from === undefined || to === undefined || from === to || isTest(file)) return undefined;
  const route = shortestRoute(to, from, unitImports(file, importsOf));
  // A circle without a folder in it is a circle of files, and is reported as such.
  return route?.some((unit) => !isFile(unit)) ? [from, ...route] : undefined;
});

export const rules = { 'no-import-circles': noImportCircles, 'no-folder-circles': noFolderCircles };

/** An ESLint rule that reports each import of the repository's own files for which `circleOf` returns a circle. */
function rule(circleOf) {
  return {
    meta: {
      type: 'problem',
      schema: [],
      messages: { circle: 'This import closes a circle: {{circle}}.' },
    },
    create: ({ physicalFilename, report, sourceCode }) => ({
      Program() {
        const file = ts.sys.realpath(physicalFilename);
        const importsOf = reader();
        for (const { pos, end, path } of importsIn(sourceCode.text, file)) {
          const circle = circleOf(file, path, importsOf)?.map((each) => relative(root, each));
          if (circle === undefined) continue;
          const loc = { start: sourceCode.getLocFromIndex(pos), end: sourceCode.getLocFromIndex(end) };
          report({ loc, messageId: 'circle', data: { circle: circle.join(' → ') } });
        }
      },
    }),
  };
}

const isFile = (unit) => /\.\w+$/.test(unit);
const isTest = (file) => /\.spec(-kit)?\./.test(file);

/** The folder right under `src`, or the file if it is in none. */
const unitOf = (file) => /^.*?\/src\/[^/]+/.exec(file)?.[0];

/** What the files of each folder of a project import, tests apart. */
function unitImports(file, importsOf) {
  const source = dirname(unitOf(file));
  const units = new Map();
  for (const each of ts.sys.readDirectory(source, ['.ts', '.js', '.mjs', '.svelte'])) {
    if (isTest(each)) continue;
    const unit = unitOf(each);
    const imported = units.get(unit) ?? new Map();
    units.set(unit, imported);
    for (const { path } of importsOf(each)) {
      const to = unitOf(path);
      if (to !== undefined && to !== unit) imported.set(to, { path: to });
    }
  }
  return (unit) => [...(units.get(unit)?.values() ?? [])];
}

/** The files from `start` to `goal`, both included, or `undefined` if none leads there. */
function shortestRoute(start, goal, importsOf) {
  const cameFrom = new Map([[start, undefined]]);
  for (const file of cameFrom.keys()) {
    if (file === goal) return routeTo(file, cameFrom);
    for (const { path } of importsOf(file)) if (!cameFrom.has(path)) cameFrom.set(path, file);
  }
  return undefined;
}

function routeTo(file, cameFrom) {
  const before = cameFrom.get(file);
  return before === undefined ? [file] : [...routeTo(before, cameFrom), file];
}

const read = new Map();

/** Reads a file's imports; looks at most once for each linted file whether it has changed. An editor lints for hours. */
function reader() {
  const current = new Set();
  return (file) => {
    if (!current.has(file)) {
      current.add(file);
      const { mtimeMs } = statSync(file);
      if (read.get(file)?.mtimeMs !== mtimeMs)
        read.set(file, { mtimeMs, imports: importsIn(readFileSync(file, 'utf8'), file) });
    }
    return read.get(file).imports;
  };
}

/** The imports of the repository's own files, with their position in the text. */
function importsIn(text, file) {
  if (!/\.([cm]?[jt]s|svelte)$/.test(file)) return [];
  const script = file.endsWith('.svelte') ? scriptsOf(text) : text;
  return ts.preProcessFile(script, true, false).importedFiles.flatMap(({ fileName, pos, end }) => {
    const path = ownFile(fileName, file);
    return path === undefined ? [] : [{ path, pos, end }];
  });
}

/** Everything but the scripts of a component is blanked, so that positions stay. */
function scriptsOf(text) {
  let scripts = text.replace(/\S/g, ' ');
  for (const { 1: tag, 2: code, index } of text.matchAll(/(<script[^>]*>)(.*?)<\/script>/gs)) {
    const start = index + tag.length;
    scripts = scripts.slice(0, start) + code + scripts.slice(start + code.length);
  }
  return scripts;
}

function ownFile(name, importer) {
  if (!name.startsWith('.') && !name.startsWith('@crossfade/')) return undefined;
  const resolved = ts.resolveModuleName(name, importer, options, ts.sys, resolutions).resolvedModule;
  const path = resolved?.resolvedFileName ?? resolve(dirname(importer), name);
  return ts.sys.fileExists(path) && !path.includes('/node_modules/') ? path : undefined;
}
