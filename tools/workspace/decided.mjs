import { existsSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { codeIn, readPage, root, tableOf } from './pages.mjs';

/** Which file decides what, and the exports that do: a question, a file, its exports. */
export const decisions = (page) =>
  tableOf(page, 'Where it is decided').map(([question, file = '', names = '']) => ({
    question,
    file: codeIn(file)[0],
    exports: codeIn(names),
  }));

/** What is wrong with a row, or nothing. `.svelte` files need only exist. */
export function faultsOf({ question, file, exports }) {
  if (file === undefined) return [`"${question}" names no file`];
  if (!existsSync(join(root, file))) return [`"${question}": ${file} does not exist`];
  if (file.endsWith('.svelte')) return [];
  if (exports.length === 0) return [`"${question}" names no export of ${file}`];
  const there = exportsOf(readPage(file), file);
  return exports
    .filter((name) => !there.has(name))
    .map((name) => `"${question}": ${file} does not export ${name}`);
}

/** The names that a file exports, except for those of `export *`. */
export function exportsOf(text, file = 'file.ts') {
  const { statements } = ts.createSourceFile(file, text, ts.ScriptTarget.Latest);
  return new Set(statements.flatMap(namesOf));
}

function namesOf(statement) {
  if (ts.isExportDeclaration(statement)) {
    const { exportClause: clause } = statement;
    if (clause === undefined) return [];
    return ts.isNamedExports(clause) ? clause.elements.map(({ name }) => name.text) : [clause.name.text];
  }
  if (ts.isExportAssignment(statement)) return ['default'];
  const modifiers = statement.modifiers?.map(({ kind }) => kind) ?? [];
  if (!modifiers.includes(ts.SyntaxKind.ExportKeyword)) return [];
  if (modifiers.includes(ts.SyntaxKind.DefaultKeyword)) return ['default'];
  if (ts.isVariableStatement(statement))
    return statement.declarationList.declarations.flatMap(({ name }) => boundNames(name));
  return [statement.name.text];
}

const boundNames = (name) =>
  ts.isIdentifier(name)
    ? [name.text]
    : name.elements.flatMap((element) => (ts.isOmittedExpression(element) ? [] : boundNames(element.name)));
