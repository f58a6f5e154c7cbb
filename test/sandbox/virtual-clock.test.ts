import { expect, test } from 'vitest';
import { createVirtualClock } from './virtual-clock.ts';

const START = new Date('2026-11-20T10:00:00.000Z');

test('sleepers wake in order of their time, at their time', async () => {
  const clock = createVirtualClock(START);
  const woken: string[] = [];
  const sleeper = async (name: string, ms: number) => {
    await clock.sleep(ms);
    woken.push(`${name} ${clock.nowMs() - START.getTime()}`);
  };
  const all = Promise.all([sleeper('b', 20), sleeper('a', 10), sleeper('c', 30)]);
  await clock.advance(25);
  expect(woken).toEqual(['a 10', 'b 20']);
  await clock.advance(5);
  await all;
  expect(woken.at(-1)).toBe('c 30');
  expect(clock.sleeping()).toBe(0);
});

test('who is woken may sleep again within the same advance', async () => {
  const clock = createVirtualClock(START);
  let rounds = 0;
  const loop = (async () => {
    for (; rounds < 5; rounds += 1) await clock.sleep(10);
  })();
  await clock.advance(50);
  await loop;
  expect(rounds).toBe(5);
});

test('an aborted sleep rejects with the reason and is forgotten', async () => {
  const clock = createVirtualClock(START);
  const abort = new AbortController();
  const asleep = clock.sleep(1_000, abort.signal);
  abort.abort(new Error('enough'));
  await expect(asleep).rejects.toThrow('enough');
  expect(clock.sleeping()).toBe(0);
});

test('with auto-advance hours pass in no time, but not while tracked work is under way', async () => {
  const clock = createVirtualClock(START, { autoAdvance: true });
  await clock.sleep(3_600_000);
  expect(clock.now().toISOString()).toBe('2026-11-20T11:00:00.000Z');
  let release = () => {};
  const work = new Promise<void>((resolve) => {
    release = resolve;
  });
  const tracked = clock.track(work);
  const asleep = clock.sleep(1_000).then(() => 'woke');
  for (let turns = 0; turns < 50; turns += 1) await new Promise((resolve) => setImmediate(resolve));
  expect(clock.sleeping()).toBe(1);
  release();
  await tracked;
  expect(await asleep).toBe('woke');
});
