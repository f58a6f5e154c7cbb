/**
 * HubSpot's date-based API version, the only place that names it. A version is supported for 18 months after
 * its release; the undated v1–v4 paths end between February and September 2027.
 */
export const HUBSPOT_API_VERSION = '2026-09';
