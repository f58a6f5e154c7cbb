import { createApiKey } from '../../src/identity/api-key-store.ts';
import { createInstallLink } from '../../src/identity/install-link-store.ts';
import { createOrganization } from '../../src/identity/store.ts';
import { withOrganization } from '../../src/platform/db/client.ts';
import { cardFetch } from '../sandbox/hubspot/card-proxy.ts';
import type { Line } from './harness.ts';

const OPERATOR = { kind: 'operator', id: 'test' } as const;

export interface Tenant {
  readonly organizationId: string;
  readonly portalId: number;
  /** Through the real OAuth round trip, as a browser would. */
  install(): Promise<Response>;
  /** Installs, works everything off, makes every suggested company a partner, works that off too. */
  start(): Promise<void>;
  connectionId(): Promise<string>;
  connection(): Promise<ConnectionView>;
  /** `/v1` with this tenant's key; parses JSON. */
  api<T = Record<string, unknown>>(
    method: string,
    path: string,
    body?: unknown,
  ): Promise<{ readonly status: number; readonly body: T }>;
  setAside(): Promise<readonly { readonly lane: string; readonly object: string; readonly reason: string }[]>;
  /** Turns every suggested company into a partner. */
  acceptAllSuggestions(type?: string): Promise<number>;
  /** The card as HubSpot's proxy gives it. */
  card(dealId: string, portalId?: number): Promise<Card>;
}

/** `GET /v1/connections`, as far as the tests look at it. */
export interface ConnectionView {
  readonly id: string;
  readonly status: string;
  readonly statusReason: string | null;
  readonly backfilled: boolean;
  readonly writeBack: { readonly rung: string } | null;
  readonly findings: readonly {
    readonly severity: string;
    readonly code: string;
    readonly message: string;
    readonly fix: string;
  }[];
  readonly positions: readonly {
    readonly kind: string;
    readonly rowsRead: number;
    readonly drift: number | null;
    readonly watermark: string | null;
  }[];
}

/** A card, read loosely: tests look at what concerns them. */
export interface Card {
  readonly status: string;
  readonly message?: string;
  readonly deal?: {
    readonly externalId: string;
    readonly name: string | null;
    readonly state: string;
    readonly blockedReason: string | null;
    readonly money: { readonly amountMinor: string; readonly currency: string } | null;
  };
  readonly modelOfRecord?: string;
  readonly models?: readonly {
    readonly name: string;
    readonly credits: readonly {
      readonly partner: { readonly name: string };
      readonly sharePercent: string;
      readonly money: { readonly amountMinor: string } | null;
      readonly evidence: readonly { readonly kind: string; readonly url: string | null }[];
    }[];
  }[];
  readonly writeBack?: { readonly status: string; readonly message: string | null };
}

/** Names and shares under the model of record, largest first: `['Partner 0 100.00']`. */
export function sharesOf(card: Card): readonly string[] {
  const model = card.models?.find(({ name }) => name === card.modelOfRecord);
  return (model?.credits ?? []).map((credit) => `${credit.partner.name} ${credit.sharePercent}`);
}

export async function addTenant(
  line: Line,
  options: { readonly portalId: number; readonly timeZone?: string },
): Promise<Tenant> {
  const { portalId } = options;
  const by = { actor: OPERATOR, now: line.clock.now() };
  const { organizationId } = await createOrganization(
    line.db,
    { name: `Tenant of ${portalId}`, timeZone: options.timeZone ?? 'America/New_York' },
    by,
  );
  const key = await withOrganization(line.db, organizationId, (tx) =>
    createApiKey(tx, { organizationId, name: 'test', scopes: ['admin'], expiresAt: null }, by),
  );
  const api: Tenant['api'] = async (method, path, body) => {
    const response = await line.app.request(`${line.publicUrl}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${key.text}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: response.status, body: (await response.json()) as never };
  };
  const connection = async () => {
    const { body } = await api<{ connections: ConnectionView[] }>('GET', '/v1/connections');
    const [first] = body.connections;
    if (first === undefined) throw new Error('not connected');
    return first;
  };
  const tenant: Tenant = {
    organizationId,
    portalId,
    api,
    connection,
    connectionId: async () => (await connection()).id,
    install: async () => {
      const link = await withOrganization(line.db, organizationId, (tx) =>
        createInstallLink(
          tx,
          { organizationId, provider: 'hubspot' },
          { actor: OPERATOR, now: line.clock.now() },
        ),
      );
      return walkThroughInstall(line, link.token, portalId);
    },
    start: async () => {
      await tenant.install();
      await line.drain();
      await tenant.acceptAllSuggestions();
      await line.drain();
    },
    setAside: async () => {
      const { body } = await api<{ setAside: { lane: string; object: string; reason: string }[] }>(
        'GET',
        '/v1/set-aside',
      );
      return body.setAside;
    },
    acceptAllSuggestions: async (type = 'referral') => {
      const id = await tenant.connectionId();
      const { body } = await api<{ suggestions: { accountExternalId: string }[] }>(
        'GET',
        '/v1/partner-suggestions?limit=200',
      );
      const accepted = body.suggestions.map(({ accountExternalId }) => ({
        connectionId: id,
        accountExternalId,
        type,
      }));
      if (accepted.length > 0) await api('POST', '/v1/partner-suggestions/accept', accepted);
      return accepted.length;
    },
    card: async (dealId, asPortal = portalId) => {
      const response = await cardFetch(
        line.sandbox,
        { portalId: asPortal, userId: 1, userEmail: 'rep@example.com' },
        { url: `${line.publicUrl}/cards/deal?dealId=${dealId}` },
        (request) => line.clock.track(Promise.resolve(line.app.fetch(request))),
      );
      return (await response.json()) as Card;
    },
  };
  return tenant;
}

/** What a person and their browser do: open the link, press the button, consent, come back. */
async function walkThroughInstall(
  { app, sandbox, publicUrl }: Line,
  token: string,
  portalId: number,
): Promise<Response> {
  const pressed = await app.request(`${publicUrl}/install/${token}`, { method: 'POST' });
  const cookie = pressed.headers.get('set-cookie')?.split(';')[0] ?? '';
  const consent = new URL(pressed.headers.get('location') ?? '');
  const form = new URLSearchParams(consent.searchParams);
  form.set('portalId', String(portalId));
  form.set('decision', 'approve');
  const approved = await sandbox.app.request(`${consent.origin}${consent.pathname}`, {
    method: 'POST',
    body: form,
  });
  return app.request(approved.headers.get('location') ?? '', { headers: { cookie } });
}
