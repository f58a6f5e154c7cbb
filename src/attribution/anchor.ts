import { addDays } from './days.ts';
import { isUndated } from './evidence.ts';
import type { ActivityInput, DealInput } from './types.ts';

type DatedDeal = Pick<DealInput, 'state' | 'createdOn'>;
type DatedActivity = Pick<ActivityInput, 'kind' | 'occurredOn' | 'outcome'>;

/**
 * The anchor of an open deal: the latest day up to `today` on which its answer could have changed, that is the day
 * of something done, or the day after it left the window; before any such day, the deal's creation (never
 * after today). `attribute` says the same for both days, so the input's hash does not change daily. Give it
 * activities that touch a linked account: others are harmless, but make the anchor move for nothing.
 * A closed deal is anchored on its close day, whatever today is: the day given comes back.
 */
export function effectiveAnchor(
  today: string,
  deal: DatedDeal,
  activities: readonly DatedActivity[],
  windowDays: number,
): string {
  if (deal.state !== 'open') return today;
  let latest = '';
  for (const day of turningDays(activities, windowDays)) {
    if (day <= today && day > latest) latest = day;
  }
  if (latest !== '') return latest;
  return deal.createdOn < today ? deal.createdOn : today;
}

/** The first day after the anchor on which the same inputs may give another answer; null: never, or not open. */
export function nextChangeOn(
  anchorOn: string,
  deal: DatedDeal,
  activities: readonly DatedActivity[],
  windowDays: number,
): string | null {
  if (deal.state !== 'open') return null;
  let next: string | null = null;
  for (const day of turningDays(activities, windowDays)) {
    if (day > anchorOn && (next === null || day < next)) next = day;
  }
  return next;
}

function turningDays(activities: readonly DatedActivity[], windowDays: number): readonly string[] {
  return activities
    .filter(({ outcome }) => outcome === 'done')
    .flatMap(({ kind, occurredOn }) =>
      isUndated(kind) ? [occurredOn] : [occurredOn, addDays(occurredOn, windowDays + 1)],
    );
}
