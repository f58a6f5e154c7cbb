import { type Context, Hono, type MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { methodNotAllowed } from 'hono/method-not-allowed';
import { requestId } from 'hono/request-id';
import { routePath } from 'hono/route';
import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { addHealthRoutes, type ReadinessCheck } from './health.ts';
import { type Problem, problem, toProblem, toResponse } from './problem.ts';

/** What every handler finds in its context: `context.get('log')`. */
export interface HttpEnv {
  readonly Variables: {
    /** The caller's `X-Request-Id` when it is a sane one, else ours. */
    readonly requestId: string;
    /** Carries the request id. */
    readonly log: Log;
  };
}
export type HttpApp = Hono<HttpEnv>;

export interface HttpOptions {
  readonly log: Log;
  readonly clock: Clock;
  /** Null on Cloudflare Workers: then there is no `/metrics`. */
  readonly metrics: Metrics | null;
  /** When set, `/metrics` asks for it as a bearer token. */
  readonly metricsToken: string | null;
  readonly readiness: readonly ReadinessCheck[];
  /** A route may be stricter with `limitBody`. */
  readonly maxBodyBytes?: number;
}

const MAX_BODY_BYTES = 1024 * 1024;

/**
 * The HTTP app that slices add their routes to, with `/livez`, `/readyz` and `/metrics`. Runs on Node and on Workers.
 * Every error that a route throws is answered as problem+json (see problem.ts).
 */
export function createHttpApp(options: HttpOptions): HttpApp {
  const app: HttpApp = new Hono<HttpEnv>();
  app.use(requestId({ limitLength: 100 }));
  app.use(observe(options));
  app.use(protect);
  app.use(
    methodNotAllowed<HttpEnv>({
      app,
      onMethodNotAllowed: (context, methods) => {
        const headers = { allow: methods.join(', ') };
        return answer(problem(405, 'Method not allowed', undefined, { headers }), context);
      },
    }),
  );
  app.use(limitBody(options.maxBodyBytes ?? MAX_BODY_BYTES));
  app.notFound((context) => answer(problem(404, 'Not found'), context));
  app.onError((error, context) => {
    const thrown = toProblem(error);
    if (thrown.status >= 500) context.get('log').error('Request failed', { error });
    return answer(thrown, context);
  });
  addHealthRoutes(app, options);
  return app;
}

/** Refuses a body of more raw bytes with 413, announced or counted, before a route reads it. */
export function limitBody(maxBytes: number): MiddlewareHandler {
  const detail = `The body may have ${maxBytes} bytes at most.`;
  return bodyLimit({
    maxSize: maxBytes,
    onError: () => {
      throw problem(413, 'Content too large', detail, { headers: { connection: 'close' } });
    },
  });
}

/** A line and a figure for every request. The path is not logged where it could hold a token: the route is. */
function observe({ log, metrics }: HttpOptions): MiddlewareHandler<HttpEnv> {
  return async (context, next) => {
    const lines = log.child({ requestId: context.get('requestId') });
    context.set('log', lines);
    const startedAt = performance.now();
    await next();
    const ms = performance.now() - startedAt;
    const { method } = context.req;
    const { status } = context.res;
    const route = matchedRoute(context);
    metrics?.httpRequest({ method: knownMethod(method), route, status, seconds: ms / 1000 });
    const level = route === '/livez' || route === '/readyz' || route === '/metrics' ? 'debug' : 'info';
    lines[level]('Request answered', { method, route, status, ms: Math.round(ms * 10) / 10 });
  };
}

/** The pattern of the route that answered; middleware (`*`) is none. */
function matchedRoute(context: Context): string {
  const route = routePath(context, -1);
  return route.endsWith('*') ? 'unmatched' : route;
}

/** Anybody can send any word as a method; a label must not grow by it. */
function knownMethod(method: string): string {
  return ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'].includes(method) ? method : '_OTHER';
}

/** For answers that are data: nothing is sniffed, framed, cached or run. A route that serves pages sets its own. */
const SECURITY_HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'strict-transport-security': 'max-age=31536000; includeSubDomains',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
} as const;

const protect: MiddlewareHandler<HttpEnv> = async (context, next) => {
  await next();
  try {
    addHeaders(context);
  } catch {
    // A response that came from `fetch` or `Response.redirect` cannot be changed: answer with a copy.
    context.res = new Response(context.res.body, context.res);
    addHeaders(context);
  }
};

function addHeaders(context: Context<HttpEnv>): void {
  const { headers } = context.res;
  for (const [name, value] of Object.entries(SECURITY_HEADERS))
    if (!headers.has(name)) headers.set(name, value);
  headers.set('x-request-id', context.get('requestId'));
}

function answer(error: Problem, context: Context<HttpEnv>): Response {
  return toResponse(error, context.req.path, context.get('requestId'));
}
