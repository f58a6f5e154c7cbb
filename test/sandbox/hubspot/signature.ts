import { createHmac } from 'node:crypto';

/** The only escapes that HubSpot undoes before it signs. */
const DECODED = /%(3A|2F|3F|40|21|24|27|28|29|2A|2C|3B)/gi;

/**
 * HubSpot's signature v3: base64 of HMAC-SHA256 over method + URI + body + timestamp.
 * @param url the full address as sent, with its query
 * @param timestampMs as in `X-HubSpot-Request-Timestamp`
 */
export function signV3(spec: {
  readonly method: string;
  readonly url: string;
  readonly body: string;
  readonly timestampMs: number;
  readonly clientSecret: string;
}): string {
  const uri = spec.url.replace(DECODED, (code) => decodeURIComponent(code));
  return createHmac('sha256', spec.clientSecret)
    .update(`${spec.method}${uri}${spec.body}${spec.timestampMs}`, 'utf8')
    .digest('base64');
}

/** A webhook request as HubSpot sends it; tests give it foreign secrets, old or future times to be refused. */
export function signedRequest(spec: {
  readonly url: string;
  readonly body: string;
  readonly timestampMs: number;
  readonly clientSecret: string;
  readonly signal?: AbortSignal;
}): Request {
  return new Request(spec.url, {
    method: 'POST',
    body: spec.body,
    redirect: 'manual',
    ...(spec.signal === undefined ? {} : { signal: spec.signal }),
    headers: {
      'Content-Type': 'application/json',
      'X-HubSpot-Signature-v3': signV3({ method: 'POST', ...spec }),
      'X-HubSpot-Request-Timestamp': String(spec.timestampMs),
      'User-Agent': 'HubSpot Connect 2.0 (http://dev.hubspot.com/) - WebhooksExecutorDaemon-executor',
    },
  });
}
