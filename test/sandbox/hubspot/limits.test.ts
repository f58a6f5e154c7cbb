import { expect, test } from 'vitest';
import { associations, objects, openSandbox } from './testing.ts';

const search = (call: Awaited<ReturnType<typeof openSandbox>>['call']) =>
  call('POST', objects('deals', '/search'), { filterGroups: [], limit: 1 });

test('110 calls per rolling ten seconds, with three headers, then 429', async () => {
  const { call, clock } = await openSandbox();
  const first = await call('GET', objects('deals'));
  expect(first.headers.get('x-hubspot-ratelimit-interval-milliseconds')).toBe('10000');
  expect(first.headers.get('x-hubspot-ratelimit-max')).toBe('110');
  expect(first.headers.get('x-hubspot-ratelimit-remaining')).toBe('109');
  await clock.advance(6_000);
  for (let n = 0; n < 109; n += 1) await call('GET', objects('deals'));
  const refused = await call('GET', objects('deals'));
  expect(refused.status).toBe(429);
  expect(refused.body).toMatchObject({ policyName: 'TEN_SECONDLY_ROLLING', errorType: 'RATE_LIMIT' });
  // The first call leaves the window four seconds later, the others six more after that.
  await clock.advance(4_000);
  expect((await call('GET', objects('deals'))).status).toBe(200);
  expect((await call('GET', objects('deals'))).status).toBe(429);
});

test('search has five a second and no headers, associations a bucket of their own', async () => {
  const { call, clock } = await openSandbox({ knobs: { associationsRateLimit: 2 } });
  for (let n = 0; n < 5; n += 1) expect((await search(call)).status).toBe(200);
  const refused = await search(call);
  expect(refused).toMatchObject({ status: 429, body: { policyName: 'SECONDLY' } });
  expect(refused.headers.get('x-hubspot-ratelimit-max')).toBeNull();
  await clock.advance(1_000);
  expect((await search(call)).status).toBe(200);
  const read = () =>
    call('POST', associations('deals', 'companies', 'batch/read'), { inputs: [{ id: '1' }] });
  expect([(await read()).status, (await read()).status, (await read()).status]).toEqual([207, 207, 429]);
  expect((await call('GET', objects('deals'))).headers.get('x-hubspot-ratelimit-remaining')).toBe('109');
});

test('an exhausted day answers with the daily policy', async () => {
  const { call, sandbox, portalId, clock } = await openSandbox();
  sandbox.control.exhaustDailyLimit(portalId, clock.nowMs() + 1_000);
  expect((await call('GET', objects('deals'))).body.policyName).toBe('DAILY');
  await clock.advance(1_000);
  expect((await call('GET', objects('deals'))).status).toBe(200);
});

test('a lock lasts two seconds, a move between data centres says when to come back', async () => {
  const { call, sandbox, clock } = await openSandbox();
  sandbox.control.failNext(1, 'locked');
  expect((await call('GET', objects('deals'))).status).toBe(423);
  expect((await call('GET', objects('deals'))).status).toBe(423);
  await clock.advance(2_000);
  expect((await call('GET', objects('deals'))).status).toBe(200);
  sandbox.control.failNext(1, 'migrating');
  const moved = await call('GET', objects('deals'));
  expect(moved.status).toBe(477);
  expect(moved.headers.get('retry-after')).toBe('60');
  await clock.advance(60_000);
  expect((await call('GET', objects('deals'))).status).toBe(200);
});

test('an overloaded edge answers HTML, and ordered failures may pick their operation', async () => {
  const { call, sandbox } = await openSandbox();
  sandbox.control.failNext(1, 'badGateway', 'search');
  expect((await call('GET', objects('deals'))).status).toBe(200);
  const answer = await search(call);
  expect(answer.status).toBe(502);
  expect(answer.text).toContain('<html>');
});

test('a slow body comes in two halves', async () => {
  const { call, sandbox, clock } = await openSandbox();
  sandbox.control.failNext(1, 'slowBody');
  let done = false;
  const answer = call('GET', objects('deals')).then((each) => {
    done = true;
    return each;
  });
  await clock.advance(2_000);
  expect(done).toBe(false);
  await clock.advance(1_000);
  expect((await answer).status).toBe(200);
});

test('chaos is drawn from the seed, and error bodies may lack a field', async () => {
  const statuses = async () => {
    const { call, sandbox } = await openSandbox({ seed: 3 });
    Object.assign(sandbox.knobs.chaos, { serverError: 0.3, sparseErrors: 1 });
    const seen: number[] = [];
    for (let n = 0; n < 30; n += 1) seen.push((await call('GET', objects('deals'))).status);
    return seen;
  };
  const once = await statuses();
  expect(once).toEqual(await statuses());
  expect(new Set(once).size).toBeGreaterThan(1);
});

test('the log counts calls and rows, with the calls themselves only when asked', async () => {
  const { call, sandbox, portalId } = await openSandbox({ knobs: { log: 'count' } });
  sandbox.log.reset();
  const inputs = [{ id: '1' }, { id: '2' }];
  await call('POST', objects('deals', '/batch/read'), { inputs, properties: [] });
  expect(sandbox.log.calls).toEqual([]);
  expect(sandbox.log.count({ operation: 'objects.batchRead', kind: 'deals', portalId })).toBe(1);
  expect(sandbox.log.rows({ operation: 'objects.batchRead' })).toBe(2);
  sandbox.knobs.log = 'full';
  await call('GET', objects('deals'));
  expect(sandbox.log.calls).toMatchObject([{ method: 'GET', operation: 'objects.list', status: 200 }]);
});
