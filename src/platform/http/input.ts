import type { Context } from 'hono';
import type { z } from 'zod';
import { invalidInput, problem } from './problem.ts';

/** The JSON body by its schema. @throws Problem 400: not JSON, or the fields that are wrong; 415: not sent as JSON. */
export async function parseBody<S extends z.ZodType>(context: Context, schema: S): Promise<z.output<S>> {
  const kind = context.req.header('content-type')?.split(';')[0]?.trim().toLowerCase() ?? '';
  if (kind !== 'application/json' && !kind.endsWith('+json'))
    throw problem(415, 'Unsupported media type', 'Send the body as application/json.');
  return parse(schema, toJson(await context.req.text()), 'body');
}

/** The query by its schema; a name that is given twice counts once, the last one. @throws Problem 400 */
export function parseQuery<S extends z.ZodType>(context: Context, schema: S): z.output<S> {
  const query = Object.fromEntries(new URL(context.req.url).searchParams);
  return parse(schema, query, 'query');
}

/** The parts of the path, e.g. `:dealId`. A malformed id is an unknown one: @throws Problem 404 */
export function parsePath<S extends z.ZodType>(context: Context, schema: S): z.output<S> {
  const result = schema.safeParse(context.req.param());
  if (!result.success) throw problem(404, 'Not found', undefined, { cause: result.error });
  return result.data;
}

function parse<S extends z.ZodType>(schema: S, value: unknown, where: string): z.output<S> {
  const result = schema.safeParse(value);
  if (!result.success) throw invalidInput(result.error, where);
  return result.data;
}

function toJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw problem(400, 'Invalid input', 'The body is not JSON.', { cause });
  }
}
