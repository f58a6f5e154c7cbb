import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import postgres from 'postgres';
import type { TestProject } from 'vitest/node';
import { migrateDatabase } from '../../src/platform/db/migrate.ts';
import { type EmbeddedPostgres, startPostgres } from '../../src/platform/embedded-postgres.ts';

/** The migrated database that every test file's own database is copied from. */
export const TEMPLATE = 'tributary_template';

/** Speed for safety: nothing in a test run must survive a power cut. */
const SETTINGS = [
  'fsync=off',
  'synchronous_commit=off',
  'full_page_writes=off',
  'autovacuum=off',
  'max_connections=200',
];

export interface TestUrls {
  /** Connection strings with the database name `__database__` in them. */
  readonly superuser: string;
  readonly owner: string;
  readonly app: string;
}

declare module 'vitest' {
  interface ProvidedContext {
    readonly pgPort: number;
    readonly pgUrls: TestUrls;
  }
}

export default async function startCluster(project: TestProject): Promise<() => Promise<void>> {
  const home = fs.mkdtempSync(path.join(os.tmpdir(), 'tributary-test-'));
  const server = await startPostgres({ home, settings: SETTINGS });
  const stop = async () => {
    await server.stop();
    fs.rmSync(home, { recursive: true, force: true });
  };
  try {
    await makeTemplate(server);
  } catch (error) {
    await stop();
    throw error;
  }
  project.provide('pgPort', server.port);
  project.provide('pgUrls', {
    superuser: server.url('__database__'),
    owner: server.url('__database__', 'tributary_owner'),
    app: server.url('__database__', 'tributary_app'),
  });
  return stop;
}

/** Every connection is closed again: a database that somebody is connected to cannot be copied. */
async function makeTemplate(server: EmbeddedPostgres): Promise<void> {
  const admin = postgres(server.url('postgres'), { max: 1 });
  await admin`create database ${admin(TEMPLATE)} owner tributary_owner`;
  await admin.end();
  await migrateDatabase(server.url(TEMPLATE, 'tributary_owner'));
}
