import type { MiddlewareHandler } from 'hono';
import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/db/client.ts';
import type { HttpEnv } from '../platform/http/app.ts';
import { problem } from '../platform/http/problem.ts';
import { API_SCOPES, type ApiCaller, type ApiScope, resolveApiKey } from './api-key-store.ts';

/** What a handler behind the guard finds: `context.get('caller')`. */
export interface ApiEnv {
  readonly Variables: HttpEnv['Variables'] & { readonly caller: ApiCaller };
}

/**
 * Lets a request in that carries a living API key with `scope` or more, as `Authorization: Bearer trb_…`.
 * @throws Problem 401 (no key, or one that is unknown, expired or revoked: one answer for all) or 403 (too little scope)
 */
export function requireApiKey(
  deps: { readonly db: Database; readonly clock: Clock },
  scope: ApiScope,
): MiddlewareHandler<ApiEnv> {
  return async (context, next) => {
    const header = context.req.header('authorization');
    if (header === undefined)
      throw refused(401, 'Unauthorized', 'Send an API key as a bearer token.', 'Bearer realm="tributary"');
    const [, text] = /^Bearer +(\S+)$/i.exec(header) ?? [];
    const caller = text === undefined ? null : await resolveApiKey(deps.db, text, deps.clock.now());
    if (caller === null)
      throw refused(
        401,
        'Unauthorized',
        'This API key is not valid.',
        'Bearer realm="tributary", error="invalid_token"',
      );
    if (!allows(caller.scopes, scope))
      throw refused(
        403,
        'Forbidden',
        `This API key lacks the scope ${scope}.`,
        `Bearer realm="tributary", error="insufficient_scope", scope="${scope}"`,
      );
    context.set('caller', caller);
    await next();
  };
}

const allows = (held: readonly ApiScope[], wanted: ApiScope): boolean =>
  held.some((scope) => API_SCOPES.indexOf(scope) >= API_SCOPES.indexOf(wanted));

const refused = (status: number, title: string, detail: string, challenge: string) =>
  problem(status, title, detail, { headers: { 'www-authenticate': challenge } });
