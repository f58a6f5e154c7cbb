import type { Call } from './guard.ts';
import { type BatchError, conflict, invalid, type Refusal } from './replies.ts';
import type { ObjectTable, Row, Values } from './state.ts';
import { checkValues, invalidValues, type ValueProblem } from './values.ts';

/**
 * Checks a write before anything is stored: unknown names, types, options, the portal's own required
 * properties and unique values.
 * @param existing the record to change; null to make one
 * @param claimed unique values that earlier rows of the same batch take: `property value` → row label
 * @returns the values to store
 * @throws Refusal with HubSpot's 400 or 409
 */
export function checkWrite(
  call: Call,
  table: ObjectTable,
  input: Readonly<Record<string, string | null>>,
  existing: Row | null,
  claimed: Map<string, string> = new Map(),
): Values {
  if (existing !== null && Object.keys(input).length === 0) {
    throw invalid('No properties found to update, please provide at least one.');
  }
  const { values, problems } = checkValues(call.portal, table, input, call.sandbox.knobs);
  const missing = requiredProblems(call, table, values, existing);
  if (problems.length + missing.length > 0) throw invalidValues(call.portal, [...problems, ...missing]);
  checkStage(call, table, values, existing);
  checkUniques(table, values, existing, claimed);
  checkBlocklist(call, table, values);
  return values;
}

function requiredProblems(
  call: Call,
  table: ObjectTable,
  values: Values,
  existing: Row | null,
): ValueProblem[] {
  const schema = table.custom?.requiredProperties ?? [];
  // HubSpot enforces the portal's own demands on the newest paths only.
  const portal = call.version === '2026-09' ? [...(call.portal.required.get(table.typeId) ?? [])] : [];
  const names = [...new Set([...schema, ...portal])];
  const lacking = names.filter((name) => {
    if (existing === null) return (values[name] ?? null) === null;
    if (name in values) return values[name] === null;
    return call.sandbox.knobs.requireOnUpdate && (existing.values[name] ?? null) === null;
  });
  return lacking.map((name) => ({
    name,
    code: 'REQUIRED_FIELD',
    message: `Property "${name}" is required.`,
  }));
}

/** A deal's stage must belong to its pipeline. */
function checkStage(call: Call, table: ObjectTable, values: Values, existing: Row | null): void {
  if (table.typeId !== '0-3') return;
  const stageId = values.dealstage ?? null;
  if (stageId === null) return;
  const pipelineId = values.pipeline ?? existing?.values.pipeline ?? 'default';
  const pipeline = call.portal.pipelines.find((candidate) => candidate.id === pipelineId);
  if (pipeline?.stages.some((stage) => stage.id === stageId) === true) return;
  throw invalidValues(call.portal, [
    {
      name: 'dealstage',
      code: 'INVALID_OPTION',
      message: `${stageId} is not a stage of pipeline ${pipelineId}`,
    },
  ]);
}

function checkUniques(
  table: ObjectTable,
  values: Values,
  existing: Row | null,
  claimed: Map<string, string>,
): void {
  for (const [name, owners] of table.unique) {
    const value = values[name]?.toLowerCase();
    if (value === undefined) continue;
    const owner = owners.get(value) ?? claimed.get(`${name} ${value}`);
    if (owner === undefined || owner === existing?.id) {
      claimed.set(`${name} ${value}`, existing?.id ?? 'another row of this batch');
      continue;
    }
    if (table.typeId === '0-1' && name === 'email')
      throw conflict(`Contact already exists. Existing ID: ${owner}`);
    const message = `Cannot set property ${name} on ${existing?.id ?? 'a new record'}. ${owner} already has that value.`;
    throw invalid(message, [
      { message, code: 'CONFLICTING_UNIQUE_VALUE', context: { propertyName: [name] } },
    ]);
  }
}

function checkBlocklist(call: Call, table: ObjectTable, values: Values): void {
  const email = values.email?.toLowerCase();
  if (table.typeId !== '0-1' || email === undefined || !call.portal.blocklist.has(email)) return;
  throw invalid('Contact cannot be created: the address was deleted for privacy and is blocklisted.');
}

/** One row's refusal, as a batch reports it beside the rows that went well. */
export function toBatchError(
  refusal: Refusal,
  context: Readonly<Record<string, readonly string[]>>,
): BatchError {
  const body = typeof refusal.body === 'string' ? {} : refusal.body;
  return {
    status: 'error',
    category: String(body.category ?? 'VALIDATION_ERROR'),
    message: refusal.message,
    context,
    ...(Array.isArray(body.errors) ? { errors: body.errors } : {}),
  };
}

export const missingRows = (table: ObjectTable, ids: readonly string[]): BatchError => ({
  status: 'error',
  category: 'OBJECT_NOT_FOUND',
  message: `Could not get some ${table.singular.toUpperCase()} objects, they may be deleted or not exist. Check that ids are valid.`,
  context: { ids },
});
