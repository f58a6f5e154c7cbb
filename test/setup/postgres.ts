import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import postgres from 'postgres';
import type { TestProject } from 'vitest/node';
import { startPostgres } from '../../src/platform/embedded-postgres.ts';

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
  const admin = postgres(server.url('postgres'), { max: 1 });
  await admin`create database ${admin(TEMPLATE)} owner tributary_owner`;
  await admin.end();
  await migrate(server.url(TEMPLATE, 'tributary_owner'));

  project.provide('pgPort', server.port);
  project.provide('pgUrls', {
    superuser: server.url('__database__'),
    owner: server.url('__database__', 'tributary_owner'),
    app: server.url('__database__', 'tributary_app'),
  });
  return async () => {
    await server.stop();
    fs.rmSync(home, { recursive: true, force: true });
  };
}

async function migrate(ownerUrl: string): Promise<void> {
  const file = new URL('../../src/platform/db/migrate.ts', import.meta.url);
  if (!fs.existsSync(file)) return;
  const { migrateDatabase } = (await import(file.href)) as {
    migrateDatabase(ownerUrl: string): Promise<void>;
  };
  await migrateDatabase(ownerUrl);
}
