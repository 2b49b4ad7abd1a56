/** A number as letters, one per digit: errors that differ only in digits belong to one stack. */
export const inLetters = (number: number): string =>
  [...String(number)].map((digit) => 'abcdefghij'[Number(digit)]).join('');
