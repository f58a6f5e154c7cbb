import { linksFrom, typesFor } from './association-store.ts';
import { stageOf } from './deal-pipelines.ts';
import { mergeRecords } from './merging.ts';
import type { FailureKind } from './mishaps.ts';
import {
  type Acting,
  archiveRecord,
  associateRecords,
  createRecord,
  disassociateRecords,
  eraseRecord,
  resolveRow,
  restoreRecord,
  updateRecord,
} from './records.ts';
import type { HubSpotSandboxState } from './sandbox-state.ts';
import { type ObjectTable, type Portal, type Row, tableNamed, type Values } from './state.ts';
import { checkValues } from './values.ts';

/** Which records a new activity belongs to. */
export interface ActivityEnds {
  readonly deals?: readonly string[];
  readonly contacts?: readonly string[];
  readonly companies?: readonly string[];
}
export type Input = Readonly<Record<string, string | null>>;

/** A person at work in a portal. Everything here raises the events that HubSpot's own UI would. */
export interface Control {
  create(portalId: number, type: string, values: Input): string;
  update(portalId: number, type: string, id: string, values: Input): void;
  createDeal(portalId: number, values: Input, ends?: { readonly companies?: readonly string[] }): string;
  updateDeal(portalId: number, dealId: string, values: Input): void;
  /** Moving a deal into a closed stage sets its close date to now, as the board does. */
  moveStage(portalId: number, dealId: string, stageId: string): void;
  logActivity(portalId: number, type: string, values: Input, ends: ActivityEnds): string;
  logMeeting(portalId: number, values: Input, ends: ActivityEnds): string;
  /** `labels` are label texts; none = the plain association. */
  associate(portalId: number, from: End, to: End, labels?: readonly string[]): void;
  disassociate(portalId: number, from: End, to: End, labels?: readonly string[]): void;
  /** Returns the id of the record that answers for both from now on. */
  merge(portalId: number, type: string, primaryId: string, otherId: string): string;
  mergeDeals(portalId: number, primaryId: string, otherId: string): string;
  archive(portalId: number, type: string, id: string): void;
  restore(portalId: number, type: string, id: string): void;
  gdprDelete(portalId: number, contactId: string): void;
  /** A person changes employer: the former companies go, the new one becomes primary. */
  moveContact(portalId: number, contactId: string, companyId: string): void;
  hideProperty(portalId: number, type: string, name: string, hidden?: boolean): void;
  requireProperty(portalId: number, type: string, name: string, required?: boolean): void;
  setEdition(portalId: number, edition: Portal['edition']): void;
  uninstallApp(portalId: number): void;
  /** Ends the grants; access tokens already given out live on to their expiry. */
  revokeTokens(portalId: number): void;
  expireTokens(portalId: number): void;
  deletePortal(portalId: number): void;
  /** Lets the next `count` calls (of one operation, when named) fail that way. */
  failNext(count: number, kind: FailureKind, operation?: string): void;
  exhaustDailyLimit(portalId: number, untilMs: number): void;
}
export interface End {
  readonly type: string;
  readonly id: string;
}

export function createControl(sandbox: HubSpotSandboxState): Control {
  const enter = (portalId: number): Acting & { table(type: string): ObjectTable } => {
    const portal = sandbox.portals.get(portalId);
    if (portal === undefined) throw new Error(`the sandbox has no portal ${portalId}`);
    const source = { changeSource: 'CRM_UI', sourceId: 'userId:222222' };
    return { sandbox, portal, source, table: (type) => tableNamed(portal, type) };
  };
  const create = (portalId: number, type: string, values: Input): string => {
    const acting = enter(portalId);
    const table = acting.table(type);
    return createRecord(acting, table, checked(acting, table, values)).id;
  };
  const update = (portalId: number, type: string, id: string, values: Input): void => {
    const acting = enter(portalId);
    const table = acting.table(type);
    updateRecord(acting, table, rowOf(table, id), checked(acting, table, values));
  };
  const associate: Control['associate'] = (portalId, from, to, labels = []) => {
    const acting = enter(portalId);
    const [a, b] = [acting.table(from.type), acting.table(to.type)];
    const typeIds = typeIdsOf(acting.portal, a, b, labels);
    associateRecords(acting, { type: a.typeId, id: from.id }, { type: b.typeId, id: to.id }, typeIds);
  };
  const logActivity: Control['logActivity'] = (portalId, type, values, ends) => {
    const id = create(portalId, type, values);
    for (const [other, ids] of Object.entries(ends)) {
      for (const each of ids ?? []) associate(portalId, { type, id }, { type: other, id: each });
    }
    return id;
  };
  return {
    create,
    update,
    associate,
    logActivity,
    createDeal(portalId, values, ends = {}) {
      const id = create(portalId, 'deals', {
        pipeline: 'default',
        dealstage: 'appointmentscheduled',
        ...values,
      });
      (ends.companies ?? []).forEach((companyId, index) => {
        associate(
          portalId,
          { type: 'deals', id },
          { type: 'companies', id: companyId },
          index === 0 ? ['Primary'] : [],
        );
      });
      return id;
    },
    updateDeal: (portalId, dealId, values) => update(portalId, 'deals', dealId, values),
    moveStage(portalId, dealId, stageId) {
      const { portal } = enter(portalId);
      const stage = stageOf(portal, stageId);
      if (stage === null) throw new Error(`portal ${portalId} has no stage ${stageId}`);
      const pipeline = portal.pipelines.find((each) => each.stages.includes(stage))?.id ?? 'default';
      const closes = stage.metadata.isClosed === 'true';
      const closedate = closes ? { closedate: new Date(sandbox.nowMs()).toISOString() } : {};
      update(portalId, 'deals', dealId, { pipeline, dealstage: stageId, ...closedate });
    },
    logMeeting: (portalId, values, ends) =>
      logActivity(portalId, 'meetings', withMeetingTimes(values, sandbox.nowMs()), ends),
    disassociate(portalId, from, to, labels) {
      const acting = enter(portalId);
      const [a, b] = [acting.table(from.type), acting.table(to.type)];
      const typeIds = labels === undefined ? undefined : typeIdsOf(acting.portal, a, b, labels);
      disassociateRecords(acting, { type: a.typeId, id: from.id }, { type: b.typeId, id: to.id }, typeIds);
    },
    merge(portalId, type, primaryId, otherId) {
      const acting = enter(portalId);
      const table = acting.table(type);
      return mergeRecords(acting, table, rowOf(table, primaryId), rowOf(table, otherId)).id;
    },
    mergeDeals(portalId, primaryId, otherId) {
      const acting = enter(portalId);
      const table = acting.table('deals');
      return mergeRecords(acting, table, rowOf(table, primaryId), rowOf(table, otherId)).id;
    },
    archive(portalId, type, id) {
      const acting = enter(portalId);
      const table = acting.table(type);
      archiveRecord(acting, table, rowOf(table, id));
    },
    restore(portalId, type, id) {
      const acting = enter(portalId);
      const table = acting.table(type);
      restoreRecord(acting, table, rowOf(table, id));
    },
    gdprDelete(portalId, contactId) {
      const acting = enter(portalId);
      const table = acting.table('contacts');
      eraseRecord(acting, table, rowOf(table, contactId));
    },
    moveContact(portalId, contactId, companyId) {
      const acting = enter(portalId);
      const from = { type: '0-1', id: contactId };
      for (const each of [...linksFrom(acting.portal.associations, '0-1', '0-2', contactId)]) {
        if (each.toId !== companyId) disassociateRecords(acting, from, { type: '0-2', id: each.toId });
      }
      associateRecords(acting, from, { type: '0-2', id: companyId }, [279, 1]);
    },
    hideProperty: (portalId, type, name, hidden = true) =>
      mark(enter(portalId).portal, 'hidden', type, name, hidden),
    requireProperty: (portalId, type, name, required = true) =>
      mark(enter(portalId).portal, 'required', type, name, required),
    setEdition(portalId, edition) {
      enter(portalId).portal.edition = edition;
    },
    uninstallApp(portalId) {
      enter(portalId).portal.installed = false;
      sandbox.tokens.revokePortal(portalId, { accessTokensToo: true });
    },
    revokeTokens: (portalId) => sandbox.tokens.revokePortal(portalId, { accessTokensToo: false }),
    expireTokens(portalId) {
      for (const [text, token] of sandbox.tokens.accessTokens) {
        if (token.portalId === portalId)
          sandbox.tokens.accessTokens.set(text, { ...token, expiresAtMs: sandbox.nowMs() });
      }
    },
    deletePortal(portalId) {
      enter(portalId).portal.deleted = true;
    },
    failNext(count, kind, operation) {
      sandbox.planned.push({ kind, left: count, ...(operation === undefined ? {} : { operation }) });
    },
    exhaustDailyLimit: (portalId, untilMs) => sandbox.limits.exhaustDay(portalId, untilMs),
  };
}

function rowOf(table: ObjectTable, id: string): Row {
  const row = resolveRow(table, id);
  if (row === null) throw new Error(`there is no ${table.singular} ${id}`);
  return row;
}

/** A person cannot enter what the portal does not know either; here that is the test's own mistake. */
function checked(acting: Acting, table: ObjectTable, input: Input): Values {
  const { values, problems } = checkValues(acting.portal, table, input, acting.sandbox.knobs);
  if (problems.length > 0) throw new Error(problems.map((problem) => problem.message).join('; '));
  return values;
}

function typeIdsOf(portal: Portal, from: ObjectTable, to: ObjectTable, labels: readonly string[]): number[] {
  const types = typesFor(portal.associations, from.typeId, to.typeId);
  const wanted: readonly (string | null)[] = labels.length === 0 ? [null] : labels;
  return wanted.map((label) => {
    const type = types.find((each) => each.label === label);
    if (type === undefined)
      throw new Error(`no association ${label ?? 'type'} from ${from.name} to ${to.name}`);
    return type.typeId;
  });
}

function mark(portal: Portal, what: 'hidden' | 'required', type: string, name: string, on: boolean): void {
  const table = tableNamed(portal, type);
  const names = portal[what].get(table.typeId) ?? new Set<string>();
  if (on) names.add(name);
  else names.delete(name);
  portal[what].set(table.typeId, names);
}

function withMeetingTimes(values: Input, nowMs: number): Input {
  const start = values.hs_meeting_start_time ?? new Date(nowMs - 3_600_000).toISOString();
  return {
    hs_timestamp: start,
    hs_meeting_outcome: 'COMPLETED',
    hs_meeting_end_time: new Date(Date.parse(start) + 1_800_000).toISOString(),
    ...values,
    hs_meeting_start_time: start,
  };
}
