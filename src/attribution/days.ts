/** Calendar days and instants as plain arithmetic: UTC only, no clock, no time zones. */

const DAY_MS = 86_400_000;

/** Days since 1970-01-01 of a day `YYYY-MM-DD`. Throws RangeError when the text is no such day. */
export function toDayNumber(day: string): number {
  const ms = /^\d{4}-\d{2}-\d{2}$/.test(day) ? Date.parse(`${day}T00:00:00.000Z`) : Number.NaN;
  if (Number.isNaN(ms) || fromEpochMs(ms).slice(0, 10) !== day) throw new RangeError(`not a day: ${day}`);
  return ms / DAY_MS;
}

/** The day `YYYY-MM-DD` that is so many days after 1970-01-01. */
export function fromDayNumber(days: number): string {
  return fromEpochMs(days * DAY_MS).slice(0, 10);
}

export function addDays(day: string, days: number): string {
  return fromDayNumber(toDayNumber(day) + days);
}

/** Epoch milliseconds of an ISO 8601 instant; it must name its offset. Throws RangeError otherwise. */
export function toEpochMs(instant: string): number {
  const ms = /(?:Z|[+-]\d{2}:\d{2})$/.test(instant) ? Date.parse(instant) : Number.NaN;
  if (Number.isNaN(ms)) throw new RangeError(`not an instant: ${instant}`);
  return ms;
}

/** The one text of an instant that we keep: `2026-11-20T10:00:00.000Z`. */
export function fromEpochMs(ms: number): string {
  return new Date(ms).toISOString();
}
