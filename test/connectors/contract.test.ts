import { createVirtualClock } from '../sandbox/virtual-clock.ts';
import { type ContractAccount, testConnector } from './contract.ts';
import { PORTAL_ID, startPortal } from './hubspot/portal.ts';

testConnector('HubSpot, custom object', () => openHubSpot('enterprise'));
testConnector('HubSpot, deal properties', () => openHubSpot('professional'));

async function openHubSpot(edition: 'enterprise' | 'professional'): Promise<ContractAccount> {
  const clock = createVirtualClock(new Date('2026-11-20T10:00:00Z'), { autoAdvance: true });
  const { sandbox, connect, close } = await startPortal({
    portal: { edition },
    clock,
    // Ids that page on after five, and a search that shows a write only later.
    knobs: { associationPageSize: 5, indexLagMs: { min: 1_000, max: 50_000 } },
  });
  const { control } = sandbox;
  const createDeal = () => control.createDeal(PORTAL_ID, { dealname: 'A deal', amount: '1000' });
  for (let n = 0; n < 120; n++) createDeal();
  const portal = () => sandbox.portal(PORTAL_ID);
  return {
    connect: (schema) => connect(schema === undefined ? {} : { schema }, { indexLagMs: 60_000 }),
    now: () => clock.now(),
    pass: (ms) => clock.advance(ms),
    createDeal,
    editDeal: (id) => control.updateDeal(PORTAL_ID, id, { amount: '2000' }),
    archiveDeal: (id) => control.archive(PORTAL_ID, 'deals', id),
    mergeDeals: (primary, other) => control.mergeDeals(PORTAL_ID, primary, other),
    createCompany: () => control.create(PORTAL_ID, 'companies', { name: 'A company' }),
    attachCompany: (dealId, id) =>
      control.associate(PORTAL_ID, { type: 'deals', id: dealId }, { type: 'companies', id }),
    logMeeting: (dealId) => control.logMeeting(PORTAL_ID, {}, { deals: [dealId] }),
    failNext: (how) => {
      if (how === 'passing') control.failNext(10, 'badGateway');
      else if (how === 'unauthorized') control.failNext(10, 'unauthorized');
      else control.hideProperty(PORTAL_ID, 'deals', 'amount');
    },
    countTraces: () => {
      const properties = [...(portal().tables.get('0-3')?.properties.values() ?? [])];
      const ours = properties.filter((p) => p.name.startsWith('tributary_') && p.archived !== true);
      const objects = [...portal().tables.values()].filter((t) => t.name.includes('partner_attribution'));
      return ours.length + objects.length;
    },
    close,
  };
}
