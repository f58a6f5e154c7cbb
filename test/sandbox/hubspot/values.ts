import type { ErrorDetail } from './replies.ts';
import { invalid } from './replies.ts';
import type { ObjectTable, Portal, PropertyDefinition, Values } from './state.ts';

export interface ValueProblem {
  readonly name: string;
  readonly code: string;
  readonly message: string;
}

const DECIMAL = /^-?\d+(\.\d+)?$/;
const ISO_INSTANT = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?$/;
const DAY = /^\d{4}-\d\d-\d\d$/;

/**
 * Checks what a caller wants to write and brings it into HubSpot's own spelling (instants as ISO text with
 * milliseconds, numbers without trailing zeros, empty text as null).
 * @returns the values to store and every property that HubSpot would reject.
 */
export function checkValues(
  portal: Portal,
  table: ObjectTable,
  input: Readonly<Record<string, string | null>>,
  options: { readonly normaliseNumbers: boolean },
): { readonly values: Values; readonly problems: readonly ValueProblem[] } {
  const values: Record<string, string | null> = {};
  const problems: ValueProblem[] = [];
  const hidden = portal.hidden.get(table.typeId);
  for (const [name, raw] of Object.entries(input)) {
    const property = table.properties.get(name);
    if (property === undefined || property.archived || hidden?.has(name) === true) {
      problems.push({ name, code: 'PROPERTY_DOESNT_EXIST', message: `Property "${name}" does not exist` });
      continue;
    }
    if (property.readOnly) {
      const message = `"${name}" is a read only property; its value cannot be set.`;
      problems.push({ name, code: 'READ_ONLY_VALUE', message });
      continue;
    }
    if (raw === null || raw === '') {
      values[name] = null;
      continue;
    }
    const checked = checkValue(portal, table, property, raw, options.normaliseNumbers);
    if ('value' in checked) values[name] = checked.value;
    else problems.push({ name, ...checked });
  }
  return { values, problems };
}

/** The 400 for values that do not fit, in HubSpot's twofold form (text in the message, list in `errors`). */
export function invalidValues(portal: Portal, problems: readonly ValueProblem[]) {
  const rows = problems.map((problem) => ({
    isValid: false,
    message: problem.message,
    error: problem.code,
    name: problem.name,
    localizedErrorMessage: problem.message,
    portalId: portal.id,
  }));
  return invalid(`Property values were not valid: ${JSON.stringify(rows)}`, problems.map(toDetail));
}

export const toDetail = (problem: ValueProblem): ErrorDetail => ({
  message: problem.message,
  code: problem.code,
  context: { propertyName: [problem.name] },
});

type Checked = { readonly value: string } | { readonly code: string; readonly message: string };

function checkValue(
  portal: Portal,
  table: ObjectTable,
  property: PropertyDefinition,
  raw: string,
  normaliseNumbers: boolean,
): Checked {
  switch (property.type) {
    case 'number':
      if (!DECIMAL.test(raw)) return { code: 'INVALID_INTEGER', message: `${raw} was not a valid number.` };
      return { value: normaliseNumbers ? withoutTrailingZeros(raw) : raw };
    case 'datetime': {
      const ms = instantMs(raw);
      if (ms === null) return { code: 'INVALID_DATE', message: `${raw} was not a valid long.` };
      return { value: new Date(ms).toISOString() };
    }
    case 'date': {
      const ms = DAY.test(raw) ? Date.parse(raw) : instantMs(raw);
      if (ms === null || Number.isNaN(ms) || ms % 86_400_000 !== 0) {
        return { code: 'INVALID_DATE', message: `${raw} is not at midnight UTC.` };
      }
      return { value: new Date(ms).toISOString().slice(0, 10) };
    }
    case 'bool':
      if (raw !== 'true' && raw !== 'false')
        return { code: 'INVALID_OPTION', message: `${raw} was not a valid boolean.` };
      return { value: raw };
    case 'enumeration':
      return checkOption(portal, table, property, raw);
    default:
      if (raw.length > 65_536)
        return { code: 'PROPERTY_VALUE_TOO_LONG', message: 'The value is longer than 65536.' };
      return { value: raw };
  }
}

function checkOption(portal: Portal, table: ObjectTable, property: PropertyDefinition, raw: string): Checked {
  const allowed = allowedOptions(portal, table, property);
  if (allowed === null || allowed.includes(raw)) return { value: raw };
  if (property.name === 'hubspot_owner_id') {
    return { code: 'INVALID_OWNER_ID', message: `Owner ${raw} does not exist.` };
  }
  const message = `${raw} was not one of the allowed options: [${allowed.map((value) => `"${value}"`).join(', ')}]`;
  return { code: 'INVALID_OPTION', message };
}

/** `null` = the sandbox keeps no list for it, as for a few of HubSpot's own enumerations. */
function allowedOptions(
  portal: Portal,
  table: ObjectTable,
  property: PropertyDefinition,
): readonly string[] | null {
  if (property.options.length > 0) return property.options.map((option) => option.value);
  if (property.name === 'hubspot_owner_id') return portal.owners.map((owner) => owner.id);
  if (table.typeId !== '0-3') return property.hubspotDefined ? null : [];
  if (property.name === 'pipeline') return portal.pipelines.map((pipeline) => pipeline.id);
  if (property.name === 'dealstage') {
    return portal.pipelines.flatMap((pipeline) => pipeline.stages.map((stage) => stage.id));
  }
  if (property.name === 'deal_currency_code') return [portal.homeCurrency, ...portal.additionalCurrencies];
  return property.hubspotDefined ? null : [];
}

/** Milliseconds since 1970 of ISO text or of a number written as text; null when it is neither. */
export function instantMs(text: string): number | null {
  if (/^-?\d{1,16}$/.test(text)) return Number(text);
  if (!ISO_INSTANT.test(text)) return null;
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? null : ms;
}

function withoutTrailingZeros(text: string): string {
  return text.includes('.') ? text.replace(/0+$/, '').replace(/\.$/, '') : text;
}
