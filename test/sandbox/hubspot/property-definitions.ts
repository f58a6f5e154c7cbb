import { z } from 'zod';
import { invalid, Refusal } from './replies.ts';
import type { ObjectTable, Portal, PropertyDefinition } from './state.ts';

export const PropertyInput = z.object({
  name: z.string(),
  label: z.string(),
  type: z.string(),
  fieldType: z.string(),
  groupName: z.string().optional(),
  description: z.string().optional(),
  hasUniqueValue: z.boolean().optional(),
  options: z.array(z.looseObject({ label: z.string(), value: z.string() })).optional(),
});
export type PropertyInput = z.infer<typeof PropertyInput>;

/** HubSpot's type → the field types it may be shown as. */
const FIELD_TYPES: Readonly<Record<string, readonly string[]>> = {
  bool: ['booleancheckbox', 'calculation_equation'],
  enumeration: ['booleancheckbox', 'checkbox', 'radio', 'select', 'calculation_equation'],
  date: ['date'],
  datetime: ['date'],
  string: ['file', 'text', 'textarea', 'calculation_equation', 'html', 'phonenumber'],
  number: ['number', 'calculation_equation'],
  phone_number: ['phonenumber'],
};
const NAME = /^[a-z][a-z0-9_]*$/;
const MAX_UNIQUE = 10;

/**
 * Checks a new property as HubSpot does.
 * @throws Refusal 400 for a bad definition, 409 when the name is taken
 */
export function checkProperty(table: ObjectTable, input: PropertyInput): void {
  if (!NAME.test(input.name) || input.name.length > 100) {
    throw invalid(
      `Property name "${input.name}" must start with a letter and hold only lowercase letters, digits and _`,
    );
  }
  const existing = table.properties.get(input.name);
  if (existing !== undefined && !existing.archived) {
    throw new Refusal(409, {
      status: 'error',
      message: `A property named '${input.name}' already exists.`,
      category: 'OBJECT_ALREADY_EXISTS',
    });
  }
  const fieldTypes = FIELD_TYPES[input.type];
  if (fieldTypes === undefined) throw invalid(`${input.type} is not a property type.`);
  if (!fieldTypes.includes(input.fieldType)) {
    throw invalid(`fieldType ${input.fieldType} does not fit type ${input.type}.`);
  }
  if (input.groupName === undefined || !table.groups.has(input.groupName)) {
    throw invalid(`Property group "${input.groupName ?? ''}" does not exist.`);
  }
  const isChoice = input.type === 'enumeration';
  if (isChoice && (input.options ?? []).length === 0) throw invalid('An enumeration needs options.');
  if (input.hasUniqueValue === true && ownUniques(table).length >= MAX_UNIQUE) {
    throw invalid(`An object may have at most ${MAX_UNIQUE} properties with unique values.`);
  }
}

const ownUniques = (table: ObjectTable) =>
  [...table.properties.values()].filter((property) => property.hasUniqueValue && !property.hubspotDefined);

export function defineProperty(table: ObjectTable, input: PropertyInput, at: string): PropertyDefinition {
  const property = toDefinition(input, at);
  table.properties.set(property.name, property);
  if (property.hasUniqueValue && !table.unique.has(property.name)) table.unique.set(property.name, new Map());
  return property;
}

export const toDefinition = (input: PropertyInput, at: string): PropertyDefinition => ({
  name: input.name,
  label: input.label,
  type: input.type,
  fieldType: input.fieldType,
  groupName: input.groupName ?? '',
  description: input.description ?? '',
  options: (input.options ?? []).map(({ label, value }) => ({ label, value })),
  hasUniqueValue: input.hasUniqueValue ?? false,
  hubspotDefined: false,
  readOnly: false,
  calculated: false,
  createdAt: at,
  updatedAt: at,
  archived: false,
});

/** A property in HubSpot's JSON. */
export function toProperty(portal: Portal, table: ObjectTable, property: PropertyDefinition) {
  return {
    updatedAt: property.updatedAt,
    createdAt: property.createdAt,
    name: property.name,
    label: property.label,
    type: property.type,
    fieldType: property.fieldType,
    description: property.description,
    groupName: property.groupName,
    options: optionsOf(portal, table, property).map((option, displayOrder) => ({
      ...option,
      displayOrder,
      hidden: false,
    })),
    displayOrder: -1,
    calculated: property.calculated,
    externalOptions: property.name === 'hubspot_owner_id',
    archived: property.archived,
    hasUniqueValue: property.hasUniqueValue,
    hidden: false,
    ...(property.hubspotDefined ? { hubspotDefined: true } : {}),
    modificationMetadata: {
      archivable: !property.hubspotDefined,
      readOnlyDefinition: property.hubspotDefined,
      readOnlyOptions: property.hubspotDefined,
      readOnlyValue: property.readOnly,
    },
    formField: false,
    dataSensitivity: 'non_sensitive',
  };
}

function optionsOf(portal: Portal, table: ObjectTable, property: PropertyDefinition) {
  if (table.typeId !== '0-3') return property.options;
  if (property.name === 'pipeline') return portal.pipelines.map(({ id, label }) => ({ label, value: id }));
  if (property.name === 'dealstage') {
    return portal.pipelines.flatMap((pipeline) =>
      pipeline.stages.map((stage) => ({ label: `${stage.label} (${pipeline.label})`, value: stage.id })),
    );
  }
  if (property.name === 'deal_currency_code') {
    return [portal.homeCurrency, ...portal.additionalCurrencies].map((code) => ({
      label: code,
      value: code,
    }));
  }
  return property.options;
}
