import { z } from 'zod';
import { PARTNER_TYPES } from '../attribution/types.ts';
import { requireApiKey } from '../identity/api-guard.ts';
import { findOrganization } from '../identity/store.ts';
import type { Clock } from '../platform/clock.ts';
import { type Database, type Tx, withOrganization } from '../platform/db/client.ts';
import type { HttpApp } from '../platform/http/app.ts';
import { parseBody, parsePath, parseQuery } from '../platform/http/input.ts';
import { type Problem, problem } from '../platform/http/problem.ts';
import {
  createLink,
  type EndResult,
  endLink,
  type LinkResult,
  listLinks,
  type PartnerLink,
} from './link-store.ts';
import { createPartners, findPartner, listPartners, PARTNER_STATUSES, updatePartner } from './store.ts';
import { acceptSuggestions, listSuggestions } from './suggestion-store.ts';

const Id = z.object({ id: z.uuid() });
const Name = z.string().trim().min(1).max(200);
const CommissionPpm = z.int().min(0).max(1_000_000);
const PartnerBody = z.strictObject({
  name: Name,
  type: z.enum(PARTNER_TYPES),
  status: z.enum(PARTNER_STATUSES).default('active'),
  defaultCommissionPpm: CommissionPpm.default(0),
});
const PartnerChanges = z.strictObject({
  name: Name.optional(),
  type: z.enum(PARTNER_TYPES).optional(),
  status: z.enum(PARTNER_STATUSES).optional(),
  defaultCommissionPpm: CommissionPpm.optional(),
});
const Day = z.iso.date();
const ExternalId = z.string().min(1).max(200);
const LinkBody = z
  .strictObject({
    connectionId: z.uuid(),
    accountExternalId: ExternalId,
    fromOn: Day.nullable().default(null),
    toOn: Day.nullable().default(null),
    withChildren: z.boolean().default(false),
  })
  .refine(({ fromOn, toOn }) => fromOn === null || toOn === null || fromOn < toOn, {
    path: ['toOn'],
    message: 'must be later than fromOn; it is the first day that does not count any more',
  });
const EndBody = z.strictObject({ toOn: Day.optional() });
const AcceptBody = z
  .array(
    z.strictObject({
      connectionId: z.uuid(),
      accountExternalId: ExternalId,
      name: Name.optional(),
      type: z.enum(PARTNER_TYPES),
    }),
  )
  .min(1)
  .max(500);
const PartnerPage = z.object({
  limit: z.coerce.number().int().min(1).max(200).default(50),
  after: z.uuid().optional(),
});
const SuggestionPage = z.object({ limit: z.coerce.number().int().min(1).max(500).default(100) });

/** `/v1/partners`, their links, and suggestions who may be one. A foreign id is answered like one that never was. */
export function addPartnerRoutes(app: HttpApp, deps: { readonly db: Database; readonly clock: Clock }): void {
  const [read, write] = [requireApiKey(deps, 'read'), requireApiKey(deps, 'write')];
  const inside = <T>({ organizationId }: { readonly organizationId: string }, fn: (tx: Tx) => Promise<T>) =>
    withOrganization(deps.db, organizationId, fn);

  app.get('/v1/partners', read, async (context) => {
    const { limit, after = null } = parseQuery(context, PartnerPage);
    const caller = context.get('caller');
    const page = await inside(caller, (tx) => listPartners(tx, caller.organizationId, { after, limit }));
    if (page === null) throw notFound();
    return context.json(page);
  });

  app.post('/v1/partners', write, async (context) => {
    const fields = await parseBody(context, PartnerBody);
    const { organizationId, actor } = context.get('caller');
    const [partner] = await inside({ organizationId }, (tx) =>
      createPartners(tx, organizationId, [fields], { actor, now: deps.clock.now() }),
    );
    return context.json(partner, 201);
  });

  app.get('/v1/partners/:id', read, async (context) => {
    const { id } = parsePath(context, Id);
    const { organizationId } = context.get('caller');
    return inside({ organizationId }, async (tx) => {
      const partner = await findPartner(tx, organizationId, id);
      if (partner === null) throw notFound();
      return context.json({ ...partner, links: await listLinks(tx, organizationId, id) });
    });
  });

  app.patch('/v1/partners/:id', write, async (context) => {
    const { id } = parsePath(context, Id);
    const changes = await parseBody(context, PartnerChanges);
    const { organizationId, actor } = context.get('caller');
    const partner = await inside({ organizationId }, (tx) =>
      updatePartner(tx, organizationId, id, changes, { actor, now: deps.clock.now() }),
    );
    if (partner === null) throw notFound();
    return context.json(partner);
  });

  app.post('/v1/partners/:id/links', write, async (context) => {
    const { id } = parsePath(context, Id);
    const wanted = await parseBody(context, LinkBody);
    const { organizationId, actor } = context.get('caller');
    const result = await inside({ organizationId }, async (tx): Promise<LinkResult> => {
      if ((await findPartner(tx, organizationId, id)) === null) throw notFound();
      return createLink(tx, organizationId, id, wanted, { actor, now: deps.clock.now() });
    });
    return context.json(linkedOr(result), 201);
  });

  app.post('/v1/partner-links/:id/end', write, async (context) => {
    const { id } = parsePath(context, Id);
    const body = await parseBody(context, EndBody);
    const { organizationId, actor } = context.get('caller');
    const now = deps.clock.now();
    const result = await inside({ organizationId }, async (tx) => {
      const organization = await findOrganization(tx, organizationId);
      const toOn = body.toOn ?? dayOf(now, organization?.timeZone ?? 'UTC');
      return endLink(tx, organizationId, id, toOn, { actor, now });
    });
    return context.json(endedOr(result));
  });

  app.get('/v1/partner-suggestions', read, async (context) => {
    const { limit } = parseQuery(context, SuggestionPage);
    const caller = context.get('caller');
    const suggestions = await inside(caller, (tx) => listSuggestions(tx, caller.organizationId, limit));
    return context.json({ suggestions });
  });

  app.post('/v1/partner-suggestions/accept', write, async (context) => {
    const wanted = await parseBody(context, AcceptBody);
    const { organizationId, actor } = context.get('caller');
    const accepted = await inside({ organizationId }, (tx) =>
      acceptSuggestions(tx, organizationId, wanted, { actor, now: deps.clock.now() }),
    );
    if (accepted === null) throw notFound();
    return context.json({ accepted });
  });
}

const notFound = (): Problem => problem(404, 'Not found');

function linkedOr(result: LinkResult): PartnerLink {
  if (result.status === 'linked') return result.link;
  if (result.status === 'no-account') throw notFound();
  const { partnerName, other } = result;
  const span = other === null ? '' : ` from ${other.fromOn ?? 'ever'} to ${other.toOn ?? 'ever'}`;
  throw problem(
    409,
    'Link overlaps',
    `This company is linked to ${partnerName}${span}. End that link first, or choose other days.`,
    { type: 'urn:tributary:link-overlap' },
  );
}

function endedOr(result: EndResult): PartnerLink {
  if (result.status === 'ended') return result.link;
  if (result.status === 'no-link') throw notFound();
  const detail =
    result.status === 'before-start'
      ? `The link began on ${result.fromOn}; it can end on a later day only.`
      : `The link ends on ${result.toOn} already; make a new link for days after it.`;
  throw problem(409, 'Link cannot end then', detail, { type: 'urn:tributary:link-end' });
}

/** Calendar day in an IANA zone; Swedish writes days as `2026-11-20`. */
function dayOf(now: Date, timeZone: string): string {
  return new Intl.DateTimeFormat('sv-SE', { timeZone }).format(now);
}
