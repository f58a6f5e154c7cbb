import type { Tx } from '../platform/db/client.ts';
import { redact } from '../platform/redact.ts';
import type { Actor } from './actor.ts';
import { auditLog } from './tables.ts';

export interface AuditEntry {
  readonly organizationId: string;
  readonly actor: Actor;
  /** `noun.verb`, e.g. `partner.create`. */
  readonly action: string;
  /** What it was done to, e.g. `partner:{id}`. */
  readonly subject: string;
  /** Plain facts of the change. Secrets do not belong here, and what looks like one is taken out. */
  readonly details: Readonly<Record<string, unknown>>;
  readonly now: Date;
}

/** Says who did what, in the transaction that did it: no change without its line, and no line without its change. */
export async function recordAudit(tx: Tx, ...entries: readonly AuditEntry[]): Promise<void> {
  if (entries.length === 0) return;
  await tx.insert(auditLog).values(
    entries.map(({ organizationId, actor, action, subject, details, now }) => ({
      organizationId,
      at: now.toISOString(),
      actorKind: actor.kind,
      actorId: actor.id,
      action,
      subject,
      details: redact(details),
    })),
  );
}
