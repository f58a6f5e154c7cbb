import fs from 'node:fs';
import { expect, test } from 'vitest';
import { describeConfig } from '../src/platform/config.ts';

const readme = fs.readFileSync(new URL('../README.md', import.meta.url), 'utf8');

test('the README’s configuration table is what the code reads', () => {
  const rows = describeConfig().map(
    ({ key, required, default: fallback, what }) =>
      `| \`${key}\` | ${required ? '**required**' : (fallback ?? '–')} | ${what} |`,
  );
  const start = readme.indexOf(rows[0] ?? '');
  expect(readme.slice(start, readme.indexOf('\n\n', start)).split('\n')).toEqual(rows);
});

test('every npm script that the README names exists', () => {
  const { scripts } = JSON.parse(fs.readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
    scripts: Record<string, string>;
  };
  const named = [...readme.matchAll(/npm run (?:--silent )?([a-z]+)/g)].map(([, name]) => name ?? '');
  expect(named.length).toBeGreaterThan(5);
  expect(named.filter((name) => !(name in scripts))).toEqual([]);
});
