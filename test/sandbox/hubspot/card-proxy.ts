import type { HubSpotSandboxState } from './sandbox-state.ts';
import { signV3 } from './signature.ts';

export interface CardRequest {
  readonly url: string;
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Sent as JSON. */
  readonly body?: Readonly<Record<string, unknown>>;
  /** Only `Authorization` may be set. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
}
export interface CardUser {
  readonly portalId: number;
  readonly userId: number;
  readonly userEmail: string;
}

const ANSWER_MS = 15_000;
const MAX_BYTES = 1_048_576;

/**
 * What HubSpot's proxy does with a card's `hubspot.fetch`: appends who is asking, signs (v3), waits 15 s, tries
 * once more on a connection error or 5xx, refuses more than 1 MB, follows no redirect, and hides the status of
 * every answer that is not 2xx behind one of its own.
 */
export async function cardFetch(
  sandbox: Pick<HubSpotSandboxState, 'clock' | 'clientSecret' | 'appId' | 'nowMs'>,
  user: CardUser,
  request: CardRequest,
  send: (request: Request) => Promise<Response> = (each) => fetch(each),
): Promise<Response> {
  const foreign = Object.keys(request.headers ?? {}).filter((name) => name.toLowerCase() !== 'authorization');
  if (foreign.length > 0)
    return failure(400, 'INVALID_HEADERS', `Only Authorization may be set, not ${foreign.join(', ')}`);
  const body = request.body === undefined ? '' : JSON.stringify(request.body);
  const address = new URL(request.url);
  address.searchParams.append('userId', String(user.userId));
  address.searchParams.append('portalId', String(user.portalId));
  address.searchParams.append('userEmail', user.userEmail);
  address.searchParams.append('appId', String(sandbox.appId));
  const once = () => attempt({ sandbox, request, address, body, send });
  let answer = await once();
  if (answer === null || answer.status >= 500) answer = await once();
  if (answer === null) return failure(502, 'BAD_GATEWAY', 'The app did not answer.');
  if (answer.status < 200 || answer.status > 299) {
    return failure(502, 'BAD_GATEWAY', `The app answered with status ${answer.status}.`);
  }
  const bytes = await answer.arrayBuffer();
  if (bytes.byteLength + Buffer.byteLength(body) > MAX_BYTES) {
    return failure(502, 'BAD_GATEWAY', 'Request and answer are larger than 1 MB.');
  }
  const type = answer.headers.get('content-type') ?? 'application/json';
  return new Response(bytes, { status: 200, headers: { 'Content-Type': type } });
}

/** One try; null when there was no answer in time. */
async function attempt(spec: {
  readonly sandbox: Pick<HubSpotSandboxState, 'clock' | 'clientSecret' | 'nowMs'>;
  readonly request: CardRequest;
  readonly address: URL;
  readonly body: string;
  readonly send: (request: Request) => Promise<Response>;
}): Promise<Response | null> {
  const { sandbox, request, body } = spec;
  const method = request.method ?? 'GET';
  const url = spec.address.toString();
  const timestampMs = sandbox.nowMs();
  const signature = signV3({ method, url, body, timestampMs, clientSecret: sandbox.clientSecret });
  const giveUp = new AbortController();
  const answered = new AbortController();
  const sent = new Request(url, {
    method,
    redirect: 'manual',
    signal: giveUp.signal,
    headers: {
      ...request.headers,
      ...(body === '' ? {} : { 'Content-Type': 'application/json' }),
      'X-HubSpot-Signature-v3': signature,
      'X-HubSpot-Request-Timestamp': String(timestampMs),
    },
    ...(body === '' ? {} : { body }),
  });
  const deadline = sandbox.clock.sleep(request.timeoutMs ?? ANSWER_MS, answered.signal).then(
    () => {
      giveUp.abort(new Error('no answer in time'));
      return null;
    },
    () => null,
  );
  try {
    return await Promise.race([spec.send(sent).catch(() => null), deadline]);
  } finally {
    answered.abort();
  }
}

const failure = (status: number, category: string, message: string) =>
  new Response(JSON.stringify({ status: 'error', category, message }), {
    status,
    headers: { 'Content-Type': 'application/json' },
  });
