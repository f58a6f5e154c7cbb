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
