import { z } from 'zod';
import { linksFrom } from './association-store.ts';
import type { Call } from './guard.ts';
import { invalid } from './replies.ts';
import type { Indexed } from './search-index.ts';
import { findTable, type ObjectTable } from './state.ts';
import { instantMs } from './values.ts';

const OPERATORS = [
  'BETWEEN',
  'CONTAINS_TOKEN',
  'EQ',
  'GT',
  'GTE',
  'HAS_PROPERTY',
  'IN',
  'LT',
  'LTE',
  'NEQ',
  'NOT_CONTAINS_TOKEN',
  'NOT_HAS_PROPERTY',
  'NOT_IN',
] as const;
export const FilterInput = z.object({
  propertyName: z.string(),
  operator: z.enum(OPERATORS),
  value: z.coerce.string().optional(),
  highValue: z.coerce.string().optional(),
  values: z.array(z.coerce.string()).optional(),
});
type Filter = z.infer<typeof FilterInput>;
/** @throws Refusal 400 when operator and values do not go together */
export function checkFilter(filter: Filter): void {
  const { operator, value, highValue, values } = filter;
  const bare = operator === 'HAS_PROPERTY' || operator === 'NOT_HAS_PROPERTY';
  const several = operator === 'IN' || operator === 'NOT_IN';
  const fits = bare
    ? value === undefined
    : several
      ? values !== undefined && values.length > 0
      : value !== undefined && (operator !== 'BETWEEN' || highValue !== undefined);
  if (!fits) throw invalid(`Filter on ${filter.propertyName}: the values do not fit operator ${operator}`);
}

/** How values of a property compare: instants and numbers as numbers, the rest as lower-case text. */
export function keyOf(table: ObjectTable, name: string): (value: string | null) => number | string | null {
  const type = table.properties.get(name)?.type;
  if (type === 'datetime' || type === 'date') return (value) => (value === null ? null : instantMs(value));
  if (type === 'number') return (value) => (value === null ? null : Number(value));
  return (value) => value?.toLowerCase() ?? null;
}

/** One filter as a question to an indexed record. */
export function testFilter(call: Call, table: ObjectTable, filter: Filter): (indexed: Indexed) => boolean {
  if (filter.propertyName.startsWith('associations.')) return testAssociation(call, table, filter);
  const key = keyOf(table, filter.propertyName);
  const low = key(filter.value ?? null);
  const high = key(filter.highValue ?? null);
  const several = new Set((filter.values ?? []).map(key));
  const token = (filter.value ?? '').toLowerCase().replaceAll('*', '');
  const compare = (value: number | string): boolean => {
    switch (filter.operator) {
      case 'EQ':
        return value === low;
      case 'NEQ':
        return value !== low;
      case 'GT':
        return low !== null && value > low;
      case 'GTE':
        return low !== null && value >= low;
      case 'LT':
        return low !== null && value < low;
      case 'LTE':
        return low !== null && value <= low;
      case 'BETWEEN':
        return low !== null && high !== null && value >= low && value <= high;
      case 'IN':
        return several.has(value);
      case 'NOT_IN':
        return !several.has(value);
      case 'CONTAINS_TOKEN':
        return String(value).includes(token);
      case 'NOT_CONTAINS_TOKEN':
        return !String(value).includes(token);
      default:
        return true;
    }
  };
  return (indexed) => {
    const value = key(indexed.values[filter.propertyName] ?? null);
    if (value === null) return filter.operator === 'NOT_HAS_PROPERTY';
    return filter.operator !== 'NOT_HAS_PROPERTY' && compare(value);
  };
}

function testAssociation(call: Call, table: ObjectTable, filter: Filter): (indexed: Indexed) => boolean {
  const name = filter.propertyName.slice('associations.'.length);
  const other = findTable(call.portal, name);
  if (other === null) throw invalid(`Unable to infer object type from: ${name}`);
  const wanted = new Set(filter.values ?? [filter.value ?? '']);
  return ({ row }) =>
    linksFrom(call.portal.associations, table.typeId, other.typeId, row.id).some((each) =>
      wanted.has(each.toId),
    );
}
