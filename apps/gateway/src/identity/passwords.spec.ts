import { describe, expect, it } from 'vitest';
import { hashPassword, verifyPassword, weaknessOf } from './passwords.js';

describe('a password', () => {
  it('may be any words that do not belong together, without rules for characters', async () => {
    for (const password of ['plain otters juggle', 'zwölf große Kähne', 'x7!kQ2pw9'])
      expect(await weaknessOf(password, ['ada@example.com', 'Ada Admin']), password).toBeUndefined();
  });

  it('must be long enough and not too long', async () => {
    expect(await weaknessOf('x7!kQ2p', [])).toBe('must have at least 8 characters');
    expect(await weaknessOf('x7!kQ2p'.repeat(30), [])).toBe('must have at most 200 characters');
  });

  it('must not be one that everybody tries, nor say who it is for', async () => {
    for (const password of ['password', 'password1', 'qwertyuiop', '12345678', 'aaaaaaaaaa', 'adaadmin'])
      expect(await weaknessOf(password, ['ada@example.com', 'Ada Admin']), password).toMatch(
        'too easy to guess',
      );
  });

  it('is kept as a hash of its own', async () => {
    const [one, other] = [
      await hashPassword('plain otters juggle'),
      await hashPassword('plain otters juggle'),
    ];
    expect(one).not.toBe(other);
    expect(one).toMatch(/^\$argon2id\$/);
    expect(await verifyPassword(one, 'plain otters juggle')).toBe(true);
    expect(await verifyPassword(one, 'plain otters juggled')).toBe(false);
  });
});

describe('how hard a password is to guess', () => {
  it('is estimated within a bound, whatever the text', async () => {
    await weaknessOf('plain otters juggle', []);
    const worst = [
      'p4$$w0rd',
      '4@8({[<361!|10$57+2%|',
      '19911991',
      '1111',
      'p4$$w0rdqwerty1991',
      '4@8(3691!05$72',
    ];
    for (const part of worst) {
      const password = part.repeat(200).slice(0, 200);
      const times: number[] = [];
      // The least of three: what it takes once the code is compiled, and no collection of garbage is in it.
      for (let round = 0; round < 3; round += 1) {
        const begun = process.threadCpuUsage();
        await weaknessOf(password, [`${part}@example.com`, 'ada '.repeat(5000), part.repeat(100)]);
        const { user, system } = process.threadCpuUsage(begun);
        times.push((user + system) / 1000);
      }
      // Some 30 ms where 200 characters took 250.
      expect(Math.min(...times), part).toBeLessThan(150);
    }
  });

  it('counts for what is longer by its beginning', async () => {
    expect(await weaknessOf('plain otters juggle zwölf große Kähne'.repeat(5), [])).toBeUndefined();
    expect(await weaknessOf(`${'a'.repeat(100)} plain otters juggle`, [])).toMatch('too easy to guess');
  });
});
