import type { Call, Reply, RouteSpec } from './guard.ts';
import { VERSION } from './paths.ts';
import { invalid, notFound } from './replies.ts';
import type { Owner, Pipeline, Stage } from './state.ts';
import { objectScope, schemaScope } from './wire.ts';

/** Deal pipelines and the portal's owners. */
export function pipelineAndOwnerRoutes(): RouteSpec[] {
  const pipelines = `/crm/pipelines/${VERSION}/:objectType`;
  const owners = `/crm/owners/${VERSION}`;
  return [
    { method: 'GET', path: pipelines, operation: 'pipelines.list', handle: listPipelines },
    { method: 'GET', path: `${pipelines}/:pipelineId`, operation: 'pipelines.get', handle: getPipeline },
    {
      method: 'GET',
      path: `${pipelines}/:pipelineId/stages`,
      operation: 'pipelines.stages',
      handle: listStages,
    },
    { method: 'GET', path: owners, operation: 'owners.list', handle: listOwners },
    { method: 'GET', path: `${owners}/:ownerId`, operation: 'owners.get', handle: getOwner },
  ];
}

function pipelinesOf(call: Call): readonly Pipeline[] {
  const table = call.table();
  call.needScope(objectScope(table, 'read'), schemaScope(table, 'read'));
  call.note(table.name, 1);
  return table.typeId === '0-3' ? call.portal.pipelines : [];
}

const listPipelines = (call: Call): Reply => ({
  status: 200,
  body: { results: pipelinesOf(call).map((pipeline) => toPipeline(pipeline)) },
});

function getPipeline(call: Call): Reply {
  const pipeline = pipelinesOf(call).find((each) => each.id === call.param('pipelineId'));
  if (pipeline === undefined) throw notFound();
  return { status: 200, body: toPipeline(pipeline) };
}

function listStages(call: Call): Reply {
  const pipeline = pipelinesOf(call).find((each) => each.id === call.param('pipelineId'));
  if (pipeline === undefined) throw notFound();
  return { status: 200, body: { results: pipeline.stages.map((stage) => toStage(stage, pipeline)) } };
}

const toPipeline = (pipeline: Pipeline) => ({
  id: pipeline.id,
  label: pipeline.label,
  displayOrder: pipeline.displayOrder,
  stages: pipeline.stages.map((stage) => toStage(stage, pipeline)),
  createdAt: pipeline.createdAt,
  updatedAt: pipeline.updatedAt,
  archived: false,
});

const toStage = (stage: Stage, pipeline: Pipeline) => ({
  id: stage.id,
  label: stage.label,
  displayOrder: stage.displayOrder,
  metadata: stage.metadata,
  createdAt: pipeline.createdAt,
  updatedAt: pipeline.updatedAt,
  archived: false,
  writePermissions: 'CRM_PERMISSIONS_ENFORCEMENT',
});

function listOwners(call: Call): Reply {
  call.needScope('crm.objects.owners.read');
  const limit = Number(call.query('limit') ?? 100);
  if (!Number.isInteger(limit) || limit < 1 || limit > 500)
    throw invalid(`Invalid limit ${call.query('limit')}`);
  const start = Number(call.query('after') ?? 0);
  const archived = call.query('archived') === 'true';
  const email = call.query('email');
  const owners = call.portal.owners.filter(
    (owner) => owner.archived === archived && (email === undefined || owner.email === email),
  );
  const page = owners.slice(start, start + limit);
  call.note('owners', page.length);
  const next = start + limit < owners.length ? { paging: { next: { after: String(start + limit) } } } : {};
  return { status: 200, body: { results: page.map(toOwner), ...next } };
}

function getOwner(call: Call): Reply {
  call.needScope('crm.objects.owners.read');
  call.note('owners', 1);
  const id = call.param('ownerId');
  const archived = call.query('archived') === 'true';
  const owner = call.portal.owners.find(
    (each) =>
      each.archived === archived &&
      (call.query('idProperty') === 'userId' ? String(each.userId) : each.id) === id,
  );
  if (owner === undefined) throw notFound();
  return { status: 200, body: toOwner(owner) };
}

/** An archived owner has lost its user; only `userIdIncludingInactive` still names it. */
const toOwner = (owner: Owner) => ({
  id: owner.id,
  email: owner.email,
  type: 'PERSON',
  firstName: owner.firstName,
  lastName: owner.lastName,
  ...(owner.archived ? {} : { userId: owner.userId }),
  userIdIncludingInactive: owner.userId,
  createdAt: owner.createdAt,
  updatedAt: owner.updatedAt,
  archived: owner.archived,
});
