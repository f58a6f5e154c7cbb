/** Version segment: date-versioned paths, and the old ones that HubSpot still serves until 2027. */
export const VERSION = ':version{2026-0[39]|v[34]}';

/** Brings the old order of segments (`/crm/v3/objects/…`) into the present one (`/crm/objects/v3/…`). */
export function modernPath(path: string): string {
  return path
    .replace(/^\/crm\/(v[34])\/schemas/, '/crm-object-schemas/$1/schemas')
    .replace(/^\/crm\/(v[34])\/(objects|associations|pipelines|properties|owners)/, '/crm/$2/$1')
    .replace(/(.)\/$/, '$1');
}
