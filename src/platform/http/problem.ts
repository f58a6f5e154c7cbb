import { HTTPException } from 'hono/http-exception';
import type { z } from 'zod';
import { ReconnectNeeded, Rejected, RetryLater } from '../errors.ts';

/** One wrong field of a request: `field` is a path like `links[0].from`; empty for the whole body. */
export interface FieldError {
  readonly field: string;
  readonly message: string;
}

/** The body of every error answer (RFC 9457), sent as `application/problem+json`. */
export interface ProblemBody {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail?: string;
  /** The path that was asked for. */
  readonly instance: string;
  readonly requestId: string;
  readonly errors?: readonly FieldError[];
}

interface ProblemOptions extends ErrorOptions {
  readonly type?: string;
  readonly errors?: readonly FieldError[];
  readonly headers?: Readonly<Record<string, string>>;
}

/** An answer that is thrown. What it says is shown to the caller: no internals. */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly status: number;
  readonly title: string;
  readonly detail: string | undefined;
  readonly type: string;
  readonly errors: readonly FieldError[] | undefined;
  readonly headers: Readonly<Record<string, string>>;
  constructor(status: number, title: string, detail: string | undefined, options: ProblemOptions) {
    super(detail ?? title, options);
    this.status = status;
    this.title = title;
    this.detail = detail;
    this.type = options.type ?? 'about:blank';
    this.errors = options.errors;
    this.headers = options.headers ?? {};
  }
}

/** `throw problem(404, 'Not found', 'There is no such deal.')` */
export function problem(
  status: number,
  title: string,
  detail?: string,
  options: ProblemOptions = {},
): Problem {
  return new Problem(status, title, detail, options);
}

/** 400 that names every field that is wrong. */
export function invalidInput(error: z.ZodError, where: string): Problem {
  const errors = error.issues.map(({ path, message }) => ({ field: toFieldPath(path), message }));
  return problem(400, 'Invalid input', `The ${where} is not what this address takes.`, {
    errors,
    cause: error,
  });
}

/**
 * The answer to anything thrown. What we do not know is our bug: 500, and the caller learns nothing of it.
 * A ZodError is one of those: input is parsed by `input.ts`, so it comes from our own data.
 */
export function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof RetryLater) {
    const headers = { 'retry-after': String(Math.max(1, Math.ceil(error.afterMs / 1000))) };
    return problem(503, 'Service unavailable', 'Try again later.', { headers, cause: error });
  }
  if (error instanceof ReconnectNeeded)
    return problem(409, 'Reconnect needed', 'The CRM connection must be authorized again.', { cause: error });
  if (error instanceof Rejected)
    return problem(422, 'Rejected', error.message, {
      type: `urn:tributary:rejected:${error.reason}`,
      cause: error,
    });
  if (error instanceof HTTPException)
    return problem(error.status, error.message || 'Error', undefined, { cause: error });
  return problem(500, 'Internal error', 'This is our fault; the request id helps us find it.', {
    cause: error,
  });
}

export function toResponse(error: Problem, instance: string, requestId: string): Response {
  const body: ProblemBody = {
    type: error.type,
    title: error.title,
    status: error.status,
    ...(error.detail === undefined ? {} : { detail: error.detail }),
    instance,
    requestId,
    ...(error.errors === undefined ? {} : { errors: error.errors }),
  };
  return new Response(JSON.stringify(body), {
    status: error.status,
    headers: { ...error.headers, 'content-type': 'application/problem+json' },
  });
}

function toFieldPath(path: readonly PropertyKey[]): string {
  return path.reduce<string>((field, part) => {
    if (typeof part === 'number') return `${field}[${part}]`;
    return field === '' ? String(part) : `${field}.${String(part)}`;
  }, '');
}
