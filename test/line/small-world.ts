import { seedBulk } from '../sandbox/hubspot/world-bulk.ts';
import type { Line } from './harness.ts';
import type { Tenant } from './tenant.ts';

/** A portal of a handful of records, and a person at work in it. */
export interface SmallWorld {
  readonly portalId: number;
  readonly tenant: Tenant;
  /** Three partner companies, `Partner 0` to `Partner 2`, each with one person, then two customers. */
  readonly partners: readonly { readonly companyId: string; readonly contactId: string }[];
  readonly customers: readonly string[];
  readonly deals: readonly string[];
  /** A deal over 1,000.00 USD of the first customer, without evidence. */
  newDeal(values?: Readonly<Record<string, string>>): string;
  /** A completed demo with the partner's person on the deal, `daysAgo` days back. */
  meet(dealId: string, partner: number, daysAgo?: number): string;
}

const DAY_MS = 86_400_000;

/** A fresh portal on the line, installed, read and with all partners accepted. */
export async function openSmallWorld(
  line: Line,
  options: {
    readonly deals?: number;
    readonly edition?: 'enterprise' | 'professional';
    readonly start?: boolean;
    readonly portal?: object;
  } = {},
): Promise<SmallWorld> {
  const { sandbox } = line;
  const portalId = 2_000_000 + sandbox.portals.size;
  sandbox.addPortal({ portalId, edition: options.edition ?? 'enterprise', ...options.portal });
  seedBulk(sandbox, portalId, {
    deals: options.deals ?? 6,
    partners: 3,
    customers: 2,
    meetings: options.deals ?? 6,
  });
  const ids = (typeId: string) => [...(sandbox.portal(portalId).tables.get(typeId)?.rows.keys() ?? [])];
  const [companies, contacts] = [ids('0-2'), ids('0-1')];
  const tenant = await line.addTenant({ portalId });
  if (options.start !== false) await tenant.start();
  const { control } = sandbox;
  const customers = companies.slice(3);
  const partners = companies.slice(0, 3).map((companyId, n) => ({ companyId, contactId: contacts[n] ?? '' }));
  return {
    portalId,
    tenant,
    partners,
    customers,
    deals: ids('0-3'),
    newDeal: (values = {}) =>
      control.createDeal(
        portalId,
        { dealname: 'A deal', amount: '1000', deal_currency_code: 'USD', ...values },
        { companies: customers.slice(0, 1) },
      ),
    meet: (dealId, partner, daysAgo = 0) =>
      control.logMeeting(
        portalId,
        {
          hs_activity_type: 'Demo',
          hs_meeting_start_time: new Date(line.clock.nowMs() - daysAgo * DAY_MS - 3_600_000).toISOString(),
        },
        { deals: [dealId], contacts: [partners[partner]?.contactId ?? ''] },
      ),
  };
}
