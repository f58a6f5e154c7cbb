import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Result } from './story.ts';

const DEMO = fileURLToPath(new URL('./demo.ts', import.meta.url));
const SMALL = ['--deals', '80', '--partners', '8', '--activities', '400', '--exit', '--json'];

let folder: string;
beforeAll(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tributary-demo-'));
  // The database's own account must get in.
  fs.chmodSync(folder, 0o755);
});
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly said: string;
}

function startDemo(argv: readonly string[], dataDir: string): { child: ChildProcess; ended: Promise<Ended> } {
  const { PATH, HOME } = process.env;
  const child = spawn(process.execPath, [DEMO, ...argv], {
    env: { PATH, HOME, DATA_DIR: path.join(folder, dataDir) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [out, said] = ['', ''];
  child.stdout?.on('data', (chunk: Buffer) => {
    out += chunk.toString();
  });
  child.stderr?.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, out, said }));
  });
  return { child, ended };
}

async function runDemo(dataDir: string): Promise<{ result: Result; said: string }> {
  const { code, out, said } = await startDemo(SMALL, dataDir).ended;
  expect(code, said).toBe(0);
  expect(out.trim().split('\n')).toHaveLength(1);
  return { result: JSON.parse(out) as Result, said };
}

const figuresOf = ({ deals, activities, touchpoints, creditedDeals, written }: Result) => ({
  deals,
  activities,
  touchpoints,
  creditedDeals,
  written,
});

test('the demo holds, and ends the same when it was killed while it read the CRM', async () => {
  const { result } = await runDemo('whole');
  expect(result.drift).toBe(0);
  expect(result.written).toBeGreaterThan(40);
  expect(result.creditedDeals).toBeGreaterThan(10);
  expect(result.calls.read).toBeLessThanOrEqual(Math.ceil(result.calls.readMinimum * 1.1));
  expect(result.webhookToCardMs.p95).toBeGreaterThan(0);

  const cut = startDemo(SMALL, 'cut');
  cut.child.stderr?.on('data', (chunk: Buffer) => {
    if (/Reading \d+ %/.test(chunk.toString())) cut.child.kill('SIGKILL');
  });
  const killed = await cut.ended;
  expect(killed.code, killed.said).toBeNull();
  expect(killed.said).not.toContain('Linking partners');

  const again = await runDemo('cut');
  expect(again.said).toContain('going on where it stopped');
  expect(again.result.drift).toBe(0);
  expect(figuresOf(again.result)).toEqual(figuresOf(result));
}, 180_000);

test('wrong options are told in a sentence', async () => {
  for (const [argv, sentence] of [
    [['--crm', 'lotus'], 'There is no sandbox of "lotus"; --crm takes hubspot or all.'],
    [['--deals', 'many'], '--deals takes a whole number from 40 to 20000, not "many"'],
    [['--fast'], "Unknown option '--fast'"],
  ] as const) {
    const { code, out, said } = await startDemo(argv, 'never').ended;
    expect({ code, out }).toEqual({ code: 64, out: '' });
    expect(said).toContain(sentence);
  }
  expect(fs.existsSync(path.join(folder, 'never'))).toBe(false);
});

test('asked to stop, it ends what it started', async () => {
  const { child, ended } = startDemo(SMALL, 'stopped');
  child.stderr?.on('data', (chunk: Buffer) => {
    if (chunk.toString().includes('Connecting HubSpot')) child.kill('SIGTERM');
  });
  const { code, said } = await ended;
  expect(code, said).toBe(130);
  const pid = path.join(folder, 'stopped', 'tributary-demo', 'database');
  const files = fs.readdirSync(pid, { recursive: true }).map(String);
  expect(files.some((file) => file.endsWith('PG_VERSION'))).toBe(true);
  expect(files.some((file) => file.endsWith('postmaster.pid'))).toBe(false);
}, 60_000);
