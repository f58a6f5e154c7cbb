import { equalInConstantTime } from '../crypto.ts';
import type { HttpApp, HttpOptions } from './app.ts';
import { problem } from './problem.ts';

/** One thing that must hold before we take requests: the database answers, migrations are applied, the worker beats. */
export interface ReadinessCheck {
  readonly name: string;
  /** Resolves to what was found; rejects with why we are not ready. `signal` fires when it takes too long. */
  check(signal: AbortSignal): Promise<string>;
}

/** With the database gone, `/readyz` must say so well within five seconds. */
const CHECK_WITHIN_MS = 2000;

/**
 * `/livez`: the event loop turns. `/readyz`: every check holds, else 503. `/metrics`: Prometheus.
 */
export function addHealthRoutes(app: HttpApp, options: HttpOptions): void {
  app.get('/livez', (context) => context.json({ status: 'ok' }));

  app.get('/readyz', async (context) => {
    const results = await Promise.all(options.readiness.map((check) => runCheck(check, options)));
    for (const { name, error } of results)
      if (error) context.get('log').warn('Not ready', { check: name, error });
    const checks = Object.fromEntries(results.map(({ name, ok, found }) => [name, { ok, found }]));
    const ready = results.every(({ ok }) => ok);
    return context.json({ status: ready ? 'ok' : 'not ready', checks }, ready ? 200 : 503);
  });

  app.get('/metrics', async (context) => {
    if (options.metrics === null) throw problem(404, 'Not found');
    const token = context.req.header('authorization')?.replace(/^Bearer /, '') ?? '';
    if (options.metricsToken !== null && !equalInConstantTime(token, options.metricsToken))
      throw problem(401, 'Unauthorized', undefined, { headers: { 'www-authenticate': 'Bearer' } });
    const { contentType, body } = await options.metrics.render();
    return context.body(body, 200, { 'content-type': contentType });
  });
}

interface CheckResult {
  readonly name: string;
  readonly ok: boolean;
  /** Shown to anybody who asks: what a check says, but never what a database error says. */
  readonly found: string;
  readonly error?: unknown;
}

async function runCheck({ name, check }: ReadinessCheck, { clock }: HttpOptions): Promise<CheckResult> {
  const stop = new AbortController();
  const late = clock.sleep(CHECK_WITHIN_MS, stop.signal).then(() => {
    throw new Error(`no answer within ${CHECK_WITHIN_MS} ms`);
  });
  try {
    return { name, ok: true, found: await Promise.race([check(stop.signal), late]) };
  } catch (error) {
    return { name, ok: false, found: error instanceof NotReady ? error.message : 'failed', error };
  } finally {
    late.catch(() => {});
    stop.abort();
  }
}

/** Thrown by a check whose reason may be shown, e.g. `migration 0007 is not applied`. */
export class NotReady extends Error {
  override readonly name = 'NotReady';
}
