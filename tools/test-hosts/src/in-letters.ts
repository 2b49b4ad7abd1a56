/** A number as letters, one for each digit: errors that differ in digits only are of one stack. */
export const inLetters = (number: number): string =>
  [...String(number)].map((digit) => 'abcdefghij'[Number(digit)]).join('');
