import { BadNotice } from '../../connectors/connector.ts';
import type { Clock } from '../platform/clock.ts';
import { type HttpApp, limitBody } from '../platform/http/app.ts';
import { problem } from '../platform/http/problem.ts';
import type { Metrics } from '../platform/metrics.ts';
import { type Inlet, toRawRequest } from './inlet.ts';
import type { Intake } from './intake.ts';

export interface WebhookDeps {
  readonly inlets: Readonly<Record<string, Inlet>>;
  readonly intake: Intake;
  readonly clock: Clock;
  readonly metrics: Metrics | null;
  /** What the CRM was told to call: signatures are over this, never over a Host header. */
  readonly publicUrl: string;
}

/** HubSpot sends at most a hundred events; a megabyte is many times that. */
const MAX_WEBHOOK_BYTES = 1024 * 1024;
/** Every sender waits longer than this; past it we say "again, please" rather than nothing. */
const ACK_WITHIN_MS = 2_000;

/**
 * `POST /webhooks/:provider`: verify the raw bytes, store the hints, answer. 401 forged or stale, 413 too large, 400 not
 * what this CRM sends, 503 our own fault (the CRM tries again); events we skip are acknowledged like the others.
 */
export function addWebhookRoutes(app: HttpApp, deps: WebhookDeps): void {
  app.post('/webhooks/:provider', limitBody(MAX_WEBHOOK_BYTES), async (context) => {
    const startedAt = performance.now();
    const provider = context.req.param('provider');
    const inlet = deps.inlets[provider];
    if (inlet === undefined) throw problem(404, 'Not found');
    const request = await toRawRequest(context.req.raw, deps.publicUrl);
    const verdict = await inlet.source.verify(request, inlet.secrets, deps.clock.now());
    if (!verdict.ok) {
      context.get('log').warn('Webhook refused', { provider, reason: verdict.reason });
      throw problem(401, 'Unauthorized', `The signature was not accepted: ${verdict.reason}.`);
    }
    const notices = await inlet.source.parse(request.body).catch((error: unknown) => {
      throw error instanceof BadNotice ? problem(400, 'Invalid input', error.message) : error;
    });
    await within(ACK_WITHIN_MS, deps.intake(inlet.source.provider, notices)).catch((cause: unknown) => {
      context.get('log').error('Webhook not stored', { provider, error: cause });
      throw problem(503, 'Not stored', 'Please send this again.', { headers: { 'retry-after': '5' } });
    });
    deps.metrics?.webhookAcked(provider, (performance.now() - startedAt) / 1000);
    return context.body(null, 204);
  });
}

function within<T>(ms: number, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`not stored within ${ms} ms`)), ms);
    work.finally(() => clearTimeout(timer)).then(resolve, reject);
  });
}
