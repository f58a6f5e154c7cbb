import type { Property } from './schema.ts';

/** What we put into an account, by rung. Names are for ever: HubSpot cannot rename an object or a property. */
export const OBJECT_NAME = 'partner_attribution';
export const KEY_PROPERTY = 'external_key';
export const FIELD_GROUP = 'tributary';

export interface FieldDefinition {
  readonly name: string;
  readonly label: string;
  readonly type: 'string' | 'number' | 'datetime';
  readonly fieldType: 'text' | 'textarea' | 'number' | 'date';
  readonly description: string;
  readonly hasUniqueValue?: boolean;
}

export const OBJECT_FIELDS: readonly FieldDefinition[] = [
  {
    name: KEY_PROPERTY,
    label: 'Key',
    type: 'string',
    fieldType: 'text',
    description: 'Deal and partner of this row. Written by Tributary; do not change.',
    hasUniqueValue: true,
  },
  {
    name: 'partner',
    label: 'Partner',
    type: 'string',
    fieldType: 'text',
    description: 'The credited partner.',
  },
  {
    name: 'share',
    label: 'Share (%)',
    type: 'number',
    fieldType: 'number',
    description: "The partner's share of the deal in percent.",
  },
  {
    name: 'amount',
    label: 'Attributed amount',
    type: 'number',
    fieldType: 'number',
    description: "The partner's share of the deal's amount, in the row's currency.",
  },
  {
    name: 'currency',
    label: 'Currency',
    type: 'string',
    fieldType: 'text',
    description: 'ISO 4217 code of the amount.',
  },
  { name: 'role', label: 'Role', type: 'string', fieldType: 'text', description: 'sourced or influenced.' },
  {
    name: 'model',
    label: 'Model',
    type: 'string',
    fieldType: 'text',
    description: 'The attribution model of record.',
  },
  {
    name: 'state',
    label: 'State',
    type: 'string',
    fieldType: 'text',
    description: 'projected (open deal), earned (won), lost, or blocked.',
  },
  {
    name: 'computed_at',
    label: 'Computed at',
    type: 'datetime',
    fieldType: 'date',
    description: 'When it was computed.',
  },
  {
    name: 'reason',
    label: 'Reason',
    type: 'string',
    fieldType: 'textarea',
    description: 'Why the partner gets this share.',
  },
  {
    name: 'run_id',
    label: 'Run',
    type: 'string',
    fieldType: 'text',
    description: "Tributary's id of the computation.",
  },
];

export const DEAL_FIELDS = [
  {
    name: 'tributary_partners',
    label: 'Attributed partners',
    type: 'string',
    fieldType: 'textarea',
    description: 'One line for each credited partner. Written by Tributary; do not change.',
  },
  {
    name: 'tributary_primary_partner',
    label: 'Primary partner',
    type: 'string',
    fieldType: 'text',
    description: 'The partner with the largest share.',
  },
  {
    name: 'tributary_model',
    label: 'Attribution model',
    type: 'string',
    fieldType: 'text',
    description: 'The attribution model of record.',
  },
  {
    name: 'tributary_attributed_amount',
    label: 'Attributed amount',
    type: 'number',
    fieldType: 'number',
    description: "Part of the deal's amount that is attributed to partners, in the deal's currency.",
  },
  {
    name: 'tributary_updated_at',
    label: 'Attribution updated at',
    type: 'datetime',
    fieldType: 'date',
    description: 'When the attribution of this deal was computed.',
  },
] as const satisfies readonly FieldDefinition[];

/** The definition of the object as HubSpot wants it at creation. */
export function toObjectDefinition() {
  return {
    name: OBJECT_NAME,
    description: "Each row is one partner's credit for one deal, kept up to date by Tributary.",
    labels: { singular: 'Partner Attribution', plural: 'Partner Attributions' },
    primaryDisplayProperty: 'partner',
    secondaryDisplayProperties: ['share', 'state'],
    requiredProperties: [KEY_PROPERTY],
    searchableProperties: ['partner'],
    properties: OBJECT_FIELDS,
    associatedObjects: ['0-3', '0-2'],
    allowsSensitiveProperties: false,
  };
}

/** Definitions not there yet, and those there with another type, which nothing but a person can mend. */
export function compareFields(
  wanted: readonly FieldDefinition[],
  existing: readonly Property[],
): { readonly missing: readonly FieldDefinition[]; readonly unfit: readonly string[] } {
  const byName = new Map(existing.map((property) => [property.name, property]));
  const unfit = wanted.filter((field) => {
    const property = byName.get(field.name);
    if (property === undefined) return false;
    return (
      property.type !== field.type || (field.hasUniqueValue === true && property.hasUniqueValue === false)
    );
  });
  return {
    missing: wanted.filter((field) => !byName.has(field.name)),
    unfit: unfit.map((field) => field.name),
  };
}
