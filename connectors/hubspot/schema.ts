import { z } from 'zod';

/** Ids come as text in the specification and as numbers in many samples: both become text. */
export const IdSchema = z.union([z.string().min(1), z.number().int()]).transform(String);

const PagingSchema = z
  .object({ next: z.object({ after: z.union([z.string(), z.number()]).transform(String) }).optional() })
  .nullish();

/** A record as list, search and batch read give it; every property is text or null. */
export const ObjectSchema = z.object({
  id: IdSchema,
  properties: z.record(z.string(), z.string().nullable()),
  createdAt: z.iso.datetime({ offset: true }),
  updatedAt: z.iso.datetime({ offset: true }),
  archived: z.boolean().optional(),
  archivedAt: z.iso.datetime({ offset: true }).nullish(),
});
export type HubSpotObject = z.infer<typeof ObjectSchema>;

export const ListSchema = z.object({ results: z.array(ObjectSchema), paging: PagingSchema });
export const SearchSchema = z.object({
  total: z.number().int().nonnegative(),
  results: z.array(ObjectSchema),
  paging: PagingSchema,
});

/** HubSpot documents that every field of an error is optional. */
export const ErrorSchema = z.object({
  status: z.string().optional(),
  message: z.string().optional(),
  category: z.string().optional(),
  subCategory: z.unknown().optional(),
  policyName: z.string().optional(),
  errorType: z.string().optional(),
  correlationId: z.string().optional(),
  context: z.record(z.string(), z.array(z.coerce.string())).optional().catch(undefined),
  errors: z
    .array(
      z.object({
        message: z.string().optional(),
        code: z.string().optional(),
        context: z.record(z.string(), z.array(z.coerce.string())).optional().catch(undefined),
      }),
    )
    .optional()
    .catch(undefined),
});
export type HubSpotErrorBody = z.infer<typeof ErrorSchema>;

/** A batch answers 200, or 207 with some rows in `errors`. */
const batchOf = <T extends z.ZodType>(row: T) =>
  z.object({
    status: z.string().optional(),
    results: z.array(row),
    errors: z.array(ErrorSchema).default([]),
  });

export const BatchReadSchema = batchOf(ObjectSchema);
export const UpsertSchema = batchOf(
  ObjectSchema.extend({ new: z.boolean().optional(), objectWriteTraceId: z.string().nullish() }),
);
export type UpsertResult = z.infer<typeof UpsertSchema>['results'][number];
export const BatchUpdateSchema = batchOf(ObjectSchema.extend({ objectWriteTraceId: z.string().nullish() }));

export const AssociationTypeSchema = z.object({
  category: z.string(),
  typeId: z.number().int(),
  label: z.string().nullish(),
});
export const AssociationsSchema = batchOf(
  z.object({
    from: z.object({ id: IdSchema }),
    to: z.array(z.object({ toObjectId: IdSchema, associationTypes: z.array(AssociationTypeSchema) })),
    paging: PagingSchema,
  }),
);
export type Association = z.infer<typeof AssociationsSchema>['results'][number]['to'][number];
export const AssociateSchema = batchOf(z.object({ fromObjectId: IdSchema, toObjectId: IdSchema }));
export const CreatedPropertiesSchema = batchOf(z.unknown());
export const LabelsSchema = z.object({ results: z.array(AssociationTypeSchema) });

export const AccountDetailsSchema = z.object({
  portalId: IdSchema,
  accountType: z.string().nullish(),
  timeZone: z.string().min(1),
  companyCurrency: z.string().regex(/^[A-Z]{3}$/),
  additionalCurrencies: z.array(z.string().regex(/^[A-Z]{3}$/)).nullish(),
  uiDomain: z.string().min(1),
});

export const PipelinesSchema = z.object({
  results: z.array(
    z.object({
      id: z.string(),
      label: z.string(),
      stages: z.array(
        z.object({
          id: z.string(),
          label: z.string(),
          metadata: z.object({
            probability: z.union([z.string(), z.number()]).transform(Number).optional(),
            isClosed: z.union([z.string(), z.boolean()]).transform(String).optional(),
          }),
        }),
      ),
    }),
  ),
});

export const OwnersSchema = z.object({
  results: z.array(z.object({ id: IdSchema, archived: z.boolean().optional() })),
  paging: PagingSchema,
});

export const PropertySchema = z.object({
  name: z.string(),
  label: z.string().optional(),
  type: z.string(),
  fieldType: z.string().optional(),
  hidden: z.boolean().optional(),
  hasUniqueValue: z.boolean().optional(),
  modificationMetadata: z.object({ readOnlyValue: z.boolean().optional() }).nullish(),
});
export const PropertiesSchema = z.object({ results: z.array(PropertySchema) });
export type Property = z.infer<typeof PropertySchema>;

export const ObjectTypeSchema = z.object({
  objectTypeId: z.string(),
  name: z.string(),
  fullyQualifiedName: z.string().optional(),
  properties: z.array(PropertySchema),
  requiredProperties: z.array(z.string()),
  associations: z
    .array(z.object({ fromObjectTypeId: z.string(), toObjectTypeId: z.string(), name: z.string().nullish() }))
    .optional(),
});
export type ObjectType = z.infer<typeof ObjectTypeSchema>;
export const ObjectTypesSchema = z.object({ results: z.array(ObjectTypeSchema) });

export const LimitSchema = z.object({ limit: z.number(), usage: z.number() });
export const RecordLimitsSchema = z.object({
  customObjectTypes: z.object({ overallLimit: z.number(), overallUsage: z.number() }).nullish(),
});
/** Answers whose content we do not need: 204, or a created thing that is read again. */
export const IgnoredSchema = z.unknown();
