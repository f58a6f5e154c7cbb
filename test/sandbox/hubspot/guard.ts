import type { Context, Hono } from 'hono';
import type { Bucket } from './limits.ts';
import { ConnectionReset, sufferMishaps } from './mishaps.ts';
import type { AccessToken } from './oauth-tokens.ts';
import type { Acting } from './records.ts';
import { expired, invalid, missingScopes, notFound, Refusal, unauthenticated } from './replies.ts';
import type { HubSpotSandboxState } from './sandbox-state.ts';
import type { ObjectTable, Portal } from './state.ts';
import { findTable } from './state.ts';

/** What a handler is given about an authenticated call. */
export interface Call extends Acting {
  readonly portal: Portal;
  readonly token: AccessToken;
  /** API version in the path, `2026-09`. */
  readonly version: string;
  param(name: string): string;
  query(name: string): string | undefined;
  /** The parsed JSON body. */
  readonly body: unknown;
  readonly rawBody: string;
  /** Object type named by a path parameter (`objectType` unless said otherwise). */
  table(name?: string): ObjectTable;
  /** @throws Refusal 403 unless one of these scopes was granted */
  needScope(...anyOf: readonly string[]): void;
  /** For the log: object type, and rows asked for or given. */
  note(kind: string, rows: number): void;
}
export interface Reply {
  readonly status: number;
  readonly body?: Readonly<Record<string, unknown>>;
}
export interface RouteSpec {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly operation: string;
  readonly bucket?: Bucket;
  readonly handle: (call: Call) => Reply | Promise<Reply>;
}

/** Marks an answer whose connection must be torn down instead; understood by the server and the msw handler. */
export const RESET_HEADER = 'x-sandbox-reset';

/** Adds API routes to `app`: every one authenticated, limited, subject to mishaps, and logged. */
export function addRoutes(app: Hono, sandbox: HubSpotSandboxState, routes: readonly RouteSpec[]): void {
  for (const route of routes) {
    app.on(route.method, route.path, (context) => answer(context, sandbox, route));
  }
}

/** Answers any path that the sandbox does not know as HubSpot does, and logs it. */
export function addFallback(app: Hono, sandbox: HubSpotSandboxState): void {
  app.notFound((context) => {
    const refusal = notFound();
    logCall(sandbox, context, { operation: 'unknown', status: 404, portalId: null, kind: '', rows: 0 });
    return send(sandbox, refusal.status, refusal.body, {});
  });
}

async function answer(context: Context, sandbox: HubSpotSandboxState, route: RouteSpec): Promise<Response> {
  const noted = { kind: '', rows: 0 };
  let portalId: number | null = null;
  let headers: Readonly<Record<string, string>> = {};
  const finish = (status: number) =>
    logCall(sandbox, context, { operation: route.operation, status, portalId, ...noted });
  if (sandbox.knobs.latencyMs > 0) await sandbox.clock.sleep(sandbox.knobs.latencyMs);
  try {
    const token = authenticate(sandbox, context);
    const portal = sandbox.portals.get(token.portalId);
    if (portal === undefined || portal.deleted) throw unauthenticated();
    portalId = portal.id;
    const slow = sufferMishaps(sandbox, portal, route.operation);
    headers = sandbox.limits.take(portal.id, route.bucket ?? 'general', sandbox.nowMs());
    const rawBody = context.req.method === 'GET' ? '' : await context.req.text();
    const reply = await route.handle(toCall({ sandbox, portal, token, context, rawBody, noted }));
    finish(reply.status);
    return await send(sandbox, reply.status, reply.body, headers, slow);
  } catch (error) {
    if (error instanceof ConnectionReset) {
      finish(0);
      return new Response(null, { status: 500, headers: { [RESET_HEADER]: '1' } });
    }
    if (!(error instanceof Refusal)) throw error;
    finish(error.status);
    return await send(sandbox, error.status, error.body, { ...headers, ...error.headers });
  }
}

function toCall(spec: {
  readonly sandbox: HubSpotSandboxState;
  readonly portal: Portal;
  readonly token: AccessToken;
  readonly context: Context;
  readonly rawBody: string;
  readonly noted: { kind: string; rows: number };
}): Call {
  const { sandbox, portal, token, context, rawBody, noted } = spec;
  const param = (name: string) => context.req.param(name) ?? '';
  return {
    sandbox,
    portal,
    token,
    rawBody,
    source: { changeSource: 'INTEGRATION', sourceId: String(sandbox.appId) },
    version: param('version'),
    param,
    query: (name) => context.req.query(name),
    get body() {
      return parseJson(rawBody);
    },
    table(name = 'objectType') {
      const table = findTable(portal, param(name));
      if (table === null) throw invalid(`Unable to infer object type from: ${param(name)}`);
      return table;
    },
    needScope(...anyOf) {
      if (!anyOf.some((scope) => token.scopes.includes(scope))) throw missingScopes(anyOf);
    },
    note(kind, rows) {
      noted.kind = kind;
      noted.rows = rows;
    },
  };
}

function authenticate(sandbox: HubSpotSandboxState, context: Context): AccessToken {
  const [scheme, text] = (context.req.header('authorization') ?? '').split(' ');
  if (scheme !== 'Bearer' || text === undefined) throw unauthenticated();
  const token = sandbox.tokens.accessTokens.get(text);
  if (token === undefined || token.revoked) throw unauthenticated();
  if (token.expiresAtMs <= sandbox.nowMs()) throw expired();
  return token;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw invalid('Invalid input JSON on line 1, column 1: unable to parse the request body');
  }
}

/** Fields of an error body that HubSpot itself calls optional. */
const OPTIONAL_FIELDS = ['correlationId', 'category', 'errors', 'status', 'policyName'] as const;

async function send(
  sandbox: HubSpotSandboxState,
  status: number,
  body: Readonly<Record<string, unknown>> | string | undefined,
  headers: Readonly<Record<string, string>>,
  slow = false,
): Promise<Response> {
  if (body === undefined) return new Response(null, { status, headers });
  if (typeof body === 'string') return new Response(body, { status, headers });
  const whole: Record<string, unknown> =
    status >= 400 ? { ...body, correlationId: sandbox.random.uuid() } : { ...body };
  if (status >= 400 && sandbox.random.chance(sandbox.knobs.chaos.sparseErrors)) {
    delete whole[sandbox.random.pick(OPTIONAL_FIELDS)];
  }
  const text = JSON.stringify(whole);
  const all = { 'Content-Type': 'application/json;charset=utf-8', ...headers };
  if (!slow) return new Response(text, { status, headers: all });
  return new Response(trickle(text, sandbox), { status, headers: all });
}

/** Half of the body at once, the other half when the caller has nearly lost patience. */
function trickle(text: string, sandbox: HubSpotSandboxState): ReadableStream<Uint8Array> {
  const bytes = new TextEncoder().encode(text);
  const half = bytes.length >>> 1;
  return new ReadableStream({
    async start(controller) {
      controller.enqueue(bytes.slice(0, half));
      await sandbox.clock.sleep(sandbox.knobs.chaos.slowBodyMs);
      controller.enqueue(bytes.slice(half));
      controller.close();
    },
  });
}

export function logCall(
  sandbox: HubSpotSandboxState,
  context: Context,
  call: {
    readonly operation: string;
    readonly status: number;
    readonly portalId: number | null;
    readonly kind: string;
    readonly rows: number;
  },
): void {
  sandbox.log.add({
    at: sandbox.clock.now().toISOString(),
    method: context.req.method,
    path: context.req.path,
    ...call,
  });
}
