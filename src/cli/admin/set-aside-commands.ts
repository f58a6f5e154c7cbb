import { recordAudit } from '../../identity/audit-store.ts';
import { withOrganization } from '../../platform/db/client.ts';
import { LANES } from '../../platform/jobs/lanes.ts';
import { listSetAside } from '../../platform/jobs/work-store.ts';
import { retrySetAside } from '../../sync/set-aside-store.ts';
import { countOf, oneOf, type TenantCommand } from './command.ts';
import { organizationOf } from './identity-commands.ts';

const text = { type: 'string' } as const;

/** Work that waits for a person: what it is, and another try. */
export function createSetAsideCommands(): readonly TenantCommand[] {
  return [listCommand(), retryCommand()];
}

const listCommand = (): TenantCommand => ({
  name: 'set-aside list',
  usage: '--organization ID|NAME [--limit N]',
  what: 'Prints work that is not retried by itself: since when, lane, scope, object and why.',
  options: { organization: text, limit: text },
  required: ['organization'],
  run: async (given, { db, io }) => {
    const limit = countOf(given, 'limit') ?? 200;
    const { organizationId } = await organizationOf(db, given);
    const waiting = await withOrganization(db, organizationId, (tx) =>
      listSetAside(tx, organizationId, limit),
    );
    for (const { setAsideAt, lane, scopeId, object, reason } of waiting)
      io.out([setAsideAt, lane, scopeId, object, reason].join('\t'));
    if (waiting.length === 0) io.err('Nothing waits for a person.');
  },
});

const retryCommand = (): TenantCommand => ({
  name: 'set-aside retry',
  usage: `--organization ID|NAME [--lane ${LANES.join('|')}]`,
  what: 'Takes work up again that was set aside, of one lane or of all.',
  options: { organization: text, lane: text },
  required: ['organization'],
  run: async (given, { db, by, io }) => {
    const lane = given.lane === undefined ? null : oneOf(given, 'lane', LANES);
    const { organizationId } = await organizationOf(db, given);
    const taken = await withOrganization(db, organizationId, async (tx) => {
      const count = await retrySetAside(tx, organizationId, lane === null ? {} : { lane }, by.now);
      await recordAudit(tx, {
        ...by,
        organizationId,
        action: 'set-aside.retry',
        subject: lane ?? 'all',
        details: { count },
      });
      return count;
    });
    io.out(String(taken));
  },
});
