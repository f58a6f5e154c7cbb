/** An answer that is an error, with HubSpot's status and body. Thrown by handlers, sent by the guard. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>> | string;
  readonly headers: Readonly<Record<string, string>>;
  constructor(
    status: number,
    body: Readonly<Record<string, unknown>> | string,
    headers: Readonly<Record<string, string>> = {},
  ) {
    super(typeof body === 'string' ? `HTTP ${status}` : String(body.message ?? `HTTP ${status}`));
    this.status = status;
    this.body = body;
    this.headers = headers;
  }
}

export interface ErrorDetail {
  readonly message: string;
  readonly code?: string;
  readonly in?: string;
  readonly context?: Readonly<Record<string, readonly string[]>>;
}

export function invalid(
  message: string,
  errors?: readonly ErrorDetail[],
  more: Readonly<Record<string, unknown>> = {},
) {
  return new Refusal(400, {
    status: 'error',
    message,
    ...(errors === undefined ? {} : { errors }),
    category: 'VALIDATION_ERROR',
    ...more,
  });
}

export const notFound = (message = 'resource not found') =>
  new Refusal(404, { status: 'error', message, category: 'OBJECT_NOT_FOUND' });

export const conflict = (message: string) =>
  new Refusal(409, { status: 'error', message, category: 'CONFLICT' });

export const expired = () =>
  new Refusal(401, {
    status: 'error',
    message: 'The OAuth token used to make this call expired.',
    category: 'EXPIRED_AUTHENTICATION',
  });

export const unauthenticated = () =>
  new Refusal(401, {
    status: 'error',
    message:
      'Authentication credentials not found. This API supports OAuth 2.0 authentication and you can find more details at https://developers.hubspot.com/docs/methods/auth/oauth-overview',
    category: 'INVALID_AUTHENTICATION',
  });

export const missingScopes = (scopes: readonly string[]) =>
  new Refusal(403, {
    status: 'error',
    message: "This app hasn't been granted all required scopes to make this call.",
    errors: [
      {
        message: 'One or more of the following scopes are required.',
        context: { requiredGranularScopes: scopes },
      },
    ],
    category: 'MISSING_SCOPES',
  });

export type LimitPolicy = 'TEN_SECONDLY_ROLLING' | 'SECONDLY' | 'DAILY';
const POLICY_WORDS: Readonly<Record<LimitPolicy, string>> = {
  TEN_SECONDLY_ROLLING: 'ten_secondly_rolling',
  SECONDLY: 'secondly',
  DAILY: 'daily',
};
export const tooMany = (policyName: LimitPolicy, headers: Readonly<Record<string, string>> = {}) =>
  new Refusal(
    429,
    {
      status: 'error',
      message: `You have reached your ${POLICY_WORDS[policyName]} limit.`,
      errorType: 'RATE_LIMIT',
      policyName,
    },
    headers,
  );

export const locked = () =>
  new Refusal(423, {
    status: 'error',
    message: 'This account is locked while another large change is being made. Try again in 2 seconds.',
    category: 'RESOURCE_LOCKED',
  });

export const migrating = (retryAfterSeconds: number) =>
  new Refusal(
    477,
    {
      status: 'error',
      message: 'This account is being moved to another data centre.',
      category: 'MIGRATION_IN_PROGRESS',
    },
    { 'Retry-After': String(retryAfterSeconds) },
  );

/** Overload is answered by the edge, in HTML. */
export const badGateway = () =>
  new Refusal(
    502,
    '<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>cloudflare</center>\r\n</body>\r\n</html>\r\n',
    { 'Content-Type': 'text/html' },
  );

/** What a batch answers with: 207 as soon as one row failed. */
export interface BatchError {
  readonly status: 'error';
  readonly category: string;
  readonly message: string;
  readonly subCategory?: string;
  readonly context: Readonly<Record<string, readonly string[]>>;
  readonly errors?: readonly ErrorDetail[];
}
export function batchReply(
  results: readonly unknown[],
  errors: readonly BatchError[],
  times: { readonly startedAt: string; readonly completedAt: string },
  okStatus = 200,
): { readonly status: number; readonly body: Readonly<Record<string, unknown>> } {
  const body = { status: 'COMPLETE', results, ...times };
  if (errors.length === 0) return { status: okStatus, body };
  return { status: 207, body: { ...body, numErrors: errors.length, errors } };
}
