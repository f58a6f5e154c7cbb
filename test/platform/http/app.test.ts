import { expect, test } from 'vitest';
import { z } from 'zod';
import { systemClock } from '../../../src/platform/clock.ts';
import { Misconfigured, ReconnectNeeded, Rejected, RetryLater } from '../../../src/platform/errors.ts';
import { createHttpApp, type HttpOptions, limitBody } from '../../../src/platform/http/app.ts';
import { NotReady } from '../../../src/platform/http/health.ts';
import { parseBody, parsePath, parseQuery } from '../../../src/platform/http/input.ts';
import { problem } from '../../../src/platform/http/problem.ts';
import { memoryLog } from '../../../src/platform/log.ts';
import { createMetrics } from '../../../src/platform/metrics-node.ts';

const Body = z.object({ name: z.string(), links: z.array(z.object({ from: z.iso.date() })) });

function setUp(options: Partial<HttpOptions> = {}) {
  const log = memoryLog();
  const app = createHttpApp({
    log,
    clock: systemClock,
    metrics: createMetrics(),
    metricsToken: null,
    readiness: [],
    ...options,
  });
  app.get('/deals/:id', (context) => {
    const { id } = parsePath(context, z.object({ id: z.uuid() }));
    return context.json({
      id,
      ...parseQuery(context, z.object({ page: z.coerce.number().int().default(1) })),
    });
  });
  app.post('/deals', async (context) => context.json(await parseBody(context, Body), 201));
  app.get('/throws/:what', (context) => {
    throw thrown(context.req.param('what'));
  });
  app.post('/small', limitBody(10), async (context) => context.text(await context.req.text()));
  app.get('/raw', () => Response.redirect('https://elsewhere.example/'));
  return { app, log };
}

function thrown(what: string): Error {
  const errors: Record<string, Error> = {
    later: new RetryLater('HubSpot said 429', 2500),
    reconnect: new ReconnectNeeded('grant gone'),
    rejected: new Rejected('validation', 'The field is read-only.'),
    ours: new Misconfigured('client secret canary'),
    own: problem(409, 'Conflict', 'It was approved already.', { headers: { 'x-extra': '1' } }),
    zod: z.string().safeParse(1).error ?? new Error(),
  };
  return errors[what] ?? new Error('canary in a bug');
}

test('an answer carries the request id and headers that keep it from being framed, sniffed or cached', async () => {
  const { app, log } = setUp();
  const ours = await app.request('/livez');
  expect(ours.status).toBe(200);
  expect(ours.headers.get('x-request-id')).toMatch(/^[\w-]{36}$/);
  const theirs = await app.request('/livez', { headers: { 'x-request-id': 'trace-12_a' } });
  expect(theirs.headers.get('x-request-id')).toBe('trace-12_a');
  const insane = await app.request('/livez', { headers: { 'x-request-id': '<script>' } });
  expect(insane.headers.get('x-request-id')).toMatch(/^[\w-]{36}$/);
  const redirect = await app.request('/raw', { headers: { 'x-request-id': 'r1' } });
  for (const response of [ours, redirect, await app.request('/none')]) {
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'");
  }
  expect(redirect.headers.get('x-request-id')).toBe('r1');
  expect(redirect.headers.get('location')).toBe('https://elsewhere.example/');
  expect(log.lines.find((line) => line.requestId === 'r1')).toMatchObject({ route: '/raw', status: 302 });
});

test.each([
  ['/none', 'GET', 404, 'Not found'],
  ['/deals', 'PATCH', 405, 'Method not allowed'],
  ['/deals/not-a-uuid', 'GET', 404, 'Not found'],
  ['/throws/later', 'GET', 503, 'Service unavailable'],
  ['/throws/reconnect', 'GET', 409, 'Reconnect needed'],
  ['/throws/rejected', 'GET', 422, 'Rejected'],
  ['/throws/ours', 'GET', 500, 'Internal error'],
  ['/throws/bug', 'GET', 500, 'Internal error'],
  ['/throws/own', 'GET', 409, 'Conflict'],
])('%s by %s is a problem: %i %s', async (path, method, status, title) => {
  const { app } = setUp();
  const response = await app.request(`${path}?code=canary`, { method, headers: { 'x-request-id': 'r2' } });
  expect(response.status).toBe(status);
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  const body = await response.text();
  expect(JSON.parse(body)).toMatchObject({ title, status, instance: path, requestId: 'r2' });
  expect(body).not.toContain('canary');
});

test('405 names what is allowed, 503 says when to come back, a problem brings its own headers', async () => {
  const { app } = setUp();
  expect((await app.request('/deals', { method: 'PATCH' })).headers.get('allow')).toBe('POST');
  expect((await app.request('/throws/later')).headers.get('retry-after')).toBe('3');
  expect((await app.request('/throws/own')).headers.get('x-extra')).toBe('1');
});

test('our own bad data is a 500 in the log, never a 400 to the caller', async () => {
  const { app, log } = setUp();
  expect((await app.request('/throws/zod')).status).toBe(500);
  expect(log.lines.find(({ level }) => level === 'error')).toMatchObject({
    message: 'Request failed',
    error: { name: 'ZodError' },
  });
});

test('every wrong field of a body is named', async () => {
  const { app } = setUp();
  const send = (body: string, type = 'application/json') =>
    app.request('/deals', { method: 'POST', body, headers: { 'content-type': type } });
  const wrong = await send('{"links":[{"from":"2026-01-01"},{"from":"yesterday"}]}');
  expect(wrong.status).toBe(400);
  expect(await wrong.json()).toMatchObject({ errors: [{ field: 'name' }, { field: 'links[1].from' }] });
  expect(await (await send('{"name":')).json()).toMatchObject({
    status: 400,
    detail: 'The body is not JSON.',
  });
  expect((await send('{}', 'text/plain')).status).toBe(415);
  expect((await send('{"name":"a","links":[]}', 'application/json; charset=utf-8')).status).toBe(201);
  expect((await app.request(`/deals/${crypto.randomUUID()}?page=x`)).status).toBe(400);
});

test('a body over the limit is refused, whether its length is announced or not', async () => {
  const { app } = setUp({ maxBodyBytes: 20 });
  const post = (path: string, body: string) => app.request(path, { method: 'POST', body });
  expect((await post('/small', '0123456789')).status).toBe(200);
  expect((await post('/small', 'é123456789')).status).toBe(413);
  expect((await post('/deals', '0'.repeat(21))).status).toBe(413);
  const announced = await app.request('/small', {
    method: 'POST',
    body: 'x'.repeat(11),
    headers: { 'content-length': '11' },
  });
  expect(await announced.json()).toMatchObject({ title: 'Content too large', status: 413 });
});

test('ready when every check holds; else which does not, without what the database said', async () => {
  const well = { name: 'database', check: async () => 'answers' };
  const { app } = setUp({ readiness: [well] });
  const ready = await app.request('/readyz');
  expect(ready.status).toBe(200);
  expect(await ready.json()).toEqual({ status: 'ok', checks: { database: { ok: true, found: 'answers' } } });

  const sick = setUp({
    readiness: [
      well,
      { name: 'migrations', check: () => Promise.reject(new NotReady('0007 is not applied')) },
      { name: 'worker', check: () => Promise.reject(new Error('canary')) },
    ],
  });
  const unready = await sick.app.request('/readyz');
  expect(unready.status).toBe(503);
  expect(await unready.json()).toEqual({
    status: 'not ready',
    checks: {
      database: { ok: true, found: 'answers' },
      migrations: { ok: false, found: '0007 is not applied' },
      worker: { ok: false, found: 'failed' },
    },
  });
  expect(sick.log.lines.filter(({ level }) => level === 'warn')).toHaveLength(2);
});

test('a check that hangs makes us unready, and is told to stop', async () => {
  const clock = { now: () => new Date(0), sleep: async () => {} };
  let told = false;
  const hangs = (signal: AbortSignal) =>
    new Promise<string>(() => {
      signal.addEventListener('abort', () => {
        told = true;
      });
    });
  const { app } = setUp({ clock, readiness: [{ name: 'database', check: hangs }] });
  expect((await app.request('/readyz')).status).toBe(503);
  expect(told).toBe(true);
});

test('metrics: by token when one is set; routes as labels, never paths; no metrics on Workers', async () => {
  const { app } = setUp({ metricsToken: 'm-token' });
  await app.request(`/deals/${crypto.randomUUID()}`);
  await app.request('/secret-path', { method: 'BREW' });
  expect((await app.request('/metrics')).status).toBe(401);
  expect((await app.request('/metrics', { headers: { authorization: 'Bearer m-tokeN' } })).status).toBe(401);
  const response = await app.request('/metrics', { headers: { authorization: 'Bearer m-token' } });
  expect(response.headers.get('content-type')).toContain('text/plain');
  const text = await response.text();
  expect(text).toContain('http_route="/deals/:id",http_response_status_code="200"} 1');
  expect(text).toContain(
    'http_request_method="_OTHER",http_route="unmatched",http_response_status_code="404"} 1',
  );
  expect(text).not.toContain('secret-path');
  expect((await setUp({ metrics: null }).app.request('/metrics')).status).toBe(404);
});

test('a request’s line tells the route and no query', async () => {
  const { app, log } = setUp();
  await app.request(`/deals/${crypto.randomUUID()}?token=canary&page=2`);
  expect(log.lines).toMatchObject([
    { level: 'info', message: 'Request answered', method: 'GET', route: '/deals/:id', status: 200 },
  ]);
  expect(JSON.stringify(log.lines)).not.toContain('canary');
});
