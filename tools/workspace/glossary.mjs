import { posix } from 'node:path';
import { tableOf } from './pages.mjs';

/**
 * The words that the glossary retires. A row's third cell has them in backticks, separated by commas; parentheses after
 * one limit it to folders: `` `place` (libs/push, apps/*) ``.
 */
export function retiredWords(page) {
  return tableOf(page, 'The words').flatMap(([use, , retired = '']) =>
    [...retired.matchAll(/`([^`]+)`(?:\s*\(([^)]*)\))?/g)].map(([, word, folders]) => ({
      word,
      use: use.replaceAll('`', ''),
      folders: folders?.split(',').map((folder) => folder.replaceAll('`', '').trim()) ?? [],
    })),
  );
}

/** The uses of retired words in a file, as `path:line: "word" is retired: use "word"`. */
export function usesOf(words, path, text) {
  const here = words.filter(({ folders }) => isWithin(path, folders));
  if (here.length === 0) return [];
  const { plain, lineAt } = plainText(text);
  return here.flatMap(({ word, use }) => {
    const lines = new Set(offsetsOf(wordsOf(word), plain).map(lineAt));
    return [...lines].map((line) => `${path}:${line}: "${word}" is retired: use "${use}"`);
  });
}

const isWithin = (path, folders) =>
  folders.length === 0 ||
  folders.some((folder) => path === folder || posix.matchesGlob(path, `${folder}/**`));

/** The words of a text with a space around each, and the line of an offset in them. A phrase may go on in the next line. */
function plainText(text) {
  const ends = [];
  let plain = ' ';
  for (const line of text.split('\n')) {
    plain += wordsOf(line).trimStart();
    ends.push(plain.length);
  }
  return { plain, lineAt: (offset) => ends.findIndex((end) => offset + 1 < end) + 1 };
}

function offsetsOf(part, plain) {
  const offsets = [];
  for (let at = plain.indexOf(part); at >= 0; at = plain.indexOf(part, at + 1)) offsets.push(at);
  return offsets;
}

/** Words in lower case, with a space around each. An identifier falls apart into its words. */
function wordsOf(line) {
  const words = line
    .replace(/(\p{Ll}|\d)(?=\p{Lu})/gu, '$1 ')
    .replace(/(\p{Lu})(?=\p{Lu}\p{Ll})/gu, '$1 ')
    .replace(/(\p{L})(?=\d)/gu, '$1 ')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, ' ')
    .trim();
  return words === '' ? ' ' : ` ${words} `;
}
