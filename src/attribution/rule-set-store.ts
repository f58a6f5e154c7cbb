import { and, desc, eq, max, sql } from 'drizzle-orm';
import type { Tx } from '../platform/db/client.ts';
import { RuleSetSchema } from './rule-set-schema.ts';
import { ruleSets } from './tables.ts';
import type { RuleSet } from './types.ts';

/** The rules in force: the highest applied version. Every organization is created with version 1. */
export async function findAppliedRuleSet(tx: Tx, organizationId: string): Promise<RuleSet> {
  const [row] = await tx
    .select({ body: ruleSets.body })
    .from(ruleSets)
    .where(and(eq(ruleSets.organizationId, organizationId), eq(ruleSets.status, 'applied')))
    .orderBy(desc(ruleSets.version))
    .limit(1);
  if (row === undefined) throw new Error(`organization ${organizationId} has no applied rule set`);
  return RuleSetSchema.parse(row.body);
}

export async function findRuleSet(tx: Tx, organizationId: string, version: number): Promise<RuleSet> {
  const [row] = await tx
    .select({ body: ruleSets.body })
    .from(ruleSets)
    .where(and(eq(ruleSets.organizationId, organizationId), eq(ruleSets.version, version)));
  if (row === undefined) throw new Error(`organization ${organizationId} has no rule set ${version}`);
  return RuleSetSchema.parse(row.body);
}

/** Stores the next version and puts it in force. A version never changes afterwards. */
export async function applyRuleSet(
  tx: Tx,
  organizationId: string,
  toRuleSet: (version: number) => RuleSet,
  now: Date,
): Promise<RuleSet> {
  // Two who apply at once wait for each other here: each version has one author.
  await tx.execute(sql`select from organizations where organization_id = ${organizationId}::uuid for update`);
  const [row] = await tx
    .select({ latest: max(ruleSets.version) })
    .from(ruleSets)
    .where(eq(ruleSets.organizationId, organizationId));
  const ruleSet = toRuleSet((row?.latest ?? 0) + 1);
  await tx.insert(ruleSets).values({
    organizationId,
    version: ruleSet.version,
    status: 'applied',
    body: ruleSet,
    appliedAt: now.toISOString(),
  });
  return ruleSet;
}
