import { expect, test } from 'vitest';
import {
  type Connector,
  type DesiredDeal,
  RECORD_KINDS,
  type RecordKind,
  type SchemaState,
  type Snapshot,
} from '../../connectors/connector.ts';
import { Misconfigured, ReconnectNeeded, Rejected, RetryLater } from '../../src/platform/errors.ts';

/** One CRM account behind a sandbox, and a person at work in it, in no provider's words. */
export interface ContractAccount {
  /** As the worker would make it now: with the account's facts, and the schema when there is one. */
  connect(schema?: SchemaState): Promise<Connector>;
  now(): Date;
  /** Time goes by, past any index lag. */
  pass(ms: number): Promise<void>;
  createDeal(): string;
  editDeal(id: string): void;
  archiveDeal(id: string): void;
  /** Returns the id that answers for both from now on. */
  mergeDeals(primary: string, other: string): string;
  createCompany(): string;
  attachCompany(dealId: string, companyId: string): void;
  logMeeting(dealId: string): string;
  /** Which way the next call fails: not now, never again without consent, or refused for good. */
  failNext(how: 'passing' | 'unauthorized' | 'refused'): void;
  /** Everything of ours that stands in the account. */
  countTraces(): number;
  close(): Promise<void>;
}

const signal = new AbortController().signal;
const all = async <T>(pages: AsyncIterable<T>): Promise<T[]> => Array.fromAsync(pages);
const byId = (snapshots: readonly Snapshot[]) => new Map(snapshots.map((s) => [s.ref.externalId, s]));

/**
 * What every connector promises (`connectors/connector.ts`), whatever the CRM. Run it for each provider.
 * @param open a fresh account each time, with at least a page and a bit of deals
 */
export function testConnector(name: string, open: () => Promise<ContractAccount>): void {
  const contract = (title: string, run: (account: ContractAccount) => Promise<void>) =>
    test(`${name}: ${title}`, async () => {
      const account = await open();
      try {
        await run(account);
      } finally {
        await account.close();
      }
    });
  const deal = (externalId: string) => ({ kind: 'deal', externalId }) as const;

  contract('a full read goes on after any page, in a new connector, with nothing missed', async (account) => {
    const whole = (await all((await account.connect()).list('deal', null, signal))).flatMap(
      (p) => p.snapshots,
    );
    const resumed: Snapshot[] = [];
    for (let cursor: string | null = null, first = true; first || cursor !== null; first = false) {
      const pages = (await account.connect()).list('deal', cursor, signal)[Symbol.asyncIterator]();
      const { value } = await pages.next();
      await pages.return?.();
      resumed.push(...(value?.snapshots ?? []));
      cursor = value?.next ?? null;
    }
    expect([...byId(resumed).keys()].sort()).toEqual([...byId(whole).keys()].sort());
  });

  contract('archived records are missing, merged ones name who answers for them', async (account) => {
    const [gone, one, two] = [account.createDeal(), account.createDeal(), account.createDeal()];
    account.archiveDeal(gone);
    const survivor = account.mergeDeals(one, two);
    const connector = await account.connect();
    const found = byId(await connector.fetch([gone, one, two].map(deal), signal));
    expect(found.get(gone)?.status).toBe('missing');
    for (const id of [one, two].filter((each) => each !== survivor))
      expect(found.get(id)).toMatchObject({ status: 'merged', survivorExternalId: survivor });
    const listed = (await all(connector.list('deal', null, signal))).flatMap((p) => p.snapshots);
    const live = listed.filter((s) => s.status === 'present').map((s) => s.ref.externalId);
    expect(live).toContain(survivor);
    expect(live).not.toContain(gone);
  });

  contract('a fetch leaves no reference out, not even one that never was', async (account) => {
    const ids = [...Array.from({ length: 130 }, () => account.createDeal()), '999999999'];
    const snapshots = byId(await (await account.connect()).fetch(ids.map(deal), signal));
    expect(ids.filter((id) => !snapshots.has(id))).toEqual([]);
    expect(snapshots.get('999999999')?.status).toBe('missing');
  });

  contract('relation sets are complete: every company and every activity of a deal', async (account) => {
    const id = account.createDeal();
    const companies = Array.from({ length: 12 }, () => account.createCompany());
    for (const company of companies) account.attachCompany(id, company);
    const meetings = Array.from({ length: 12 }, () => account.logMeeting(id));
    const [snapshot] = await (await account.connect()).fetch([deal(id)], signal);
    const record = snapshot?.status === 'present' && snapshot.record.kind === 'deal' ? snapshot.record : null;
    expect(record?.accounts.map((a) => a.externalId).sort()).toEqual([...companies].sort());
    expect(record?.activities.map((a) => a.externalId).sort()).toEqual([...meetings].sort());
  });

  contract('every change is seen at least once by reads that overlap by a lookback', async (account) => {
    const connector = await account.connect();
    let since = account.now();
    const changed: string[] = [];
    const seen = new Set<string>();
    for (let round = 0; round < 4; round++) {
      const id = account.createDeal();
      account.editDeal(id);
      changed.push(id);
      await account.pass(300_000);
      const lookback = new Date(since.getTime() - 600_000).toISOString();
      for await (const page of connector.changes('deal', lookback, signal)) {
        for (const s of page.snapshots) seen.add(s.ref.externalId);
        if (page.completeUntil !== null) since = new Date(page.completeUntil);
      }
    }
    expect(changed.filter((id) => !seen.has(id))).toEqual([]);
  });

  contract('the sweep of ids is complete, of every kind', async (account) => {
    const connector = await account.connect();
    const kinds: readonly RecordKind[] = RECORD_KINDS;
    for (const kind of kinds) {
      const ids = (await all(connector.ids(kind, signal))).flat().map((row) => row.externalId);
      const pages = (await all(connector.list(kind, null, signal))).flatMap((p) => p.snapshots);
      const live = pages.filter((s) => s.status === 'present').map((s) => s.ref.externalId);
      expect(ids.sort(), kind).toEqual(live.sort());
    }
  });

  contract(
    'writing gives one outcome per row, twice the same, reads back as written, and leaves nothing',
    async (account) => {
      const before = account.countTraces();
      const schema = await (await account.connect()).ensureSchema(signal);
      const connector = await account.connect(schema);
      const wanted = toDesired(account.createDeal(), account.createCompany(), account.now());
      for (let time = 0; time < 2; time++) {
        const outcomes = await connector.write([wanted], signal);
        expect(outcomes.map(({ key, result }) => [key, result.status])).toEqual(
          wanted.rows.map(({ key }) => [key, 'written']),
        );
      }
      const standing = await connector.readBack([wanted.dealExternalId], signal);
      const plain = (text: string | null) => (text === null ? null : Number(text));
      expect(standing.map((w) => [w.key, plain(w.sharePercent), plain(w.amount), w.model]).sort()).toEqual(
        wanted.rows.map((r) => [r.key, plain(r.sharePercent), plain(r.amount), r.model]).sort(),
      );
      const [kept, retired] = wanted.rows;
      const crmRowId = standing.find(({ key }) => key === retired?.key)?.crmRowId ?? null;
      await connector.write(
        [{ ...wanted, rows: kept ? [kept] : [], retire: [{ key: retired?.key ?? '', crmRowId }] }],
        signal,
      );
      expect((await connector.readBack([wanted.dealExternalId], signal)).map(({ key }) => key)).toEqual([
        kept?.key,
      ]);
      await connector.remove({ traces: true }, signal);
      expect(account.countTraces()).toBe(before);
    },
  );

  for (const how of ['passing', 'unauthorized', 'refused'] as const)
    contract(`a call that fails (${how}) ends well or as one of the four kinds of error`, async (account) => {
      const connector = await account.connect();
      account.failNext(how);
      const error = await connector.fetch([deal('1')], signal).then(
        () => null,
        (reason: unknown) => reason,
      );
      const kinds = [RetryLater, ReconnectNeeded, Rejected, Misconfigured];
      expect(error === null || kinds.some((kind) => error instanceof kind), String(error)).toBe(true);
    });
}

function toDesired(dealExternalId: string, companyId: string, now: Date): DesiredDeal {
  const row = (partnerId: string, sharePercent: string, amount: string) => ({
    key: `${dealExternalId}:${partnerId}`,
    partnerId,
    partnerName: `Partner ${partnerId}`,
    partnerAccountExternalId: companyId,
    sharePercent,
    amount,
    currency: 'EUR',
    role: 'sourced' as const,
    model: 'role_based',
    state: 'projected' as const,
    reason: 'Because.',
    computedAt: now.toISOString(),
    runId: 'run-1',
  });
  return { dealExternalId, rows: [row('p1', '66.67', '666.70'), row('p2', '33.33', '333.30')], retire: [] };
}
