import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import postgres from 'postgres';
import { migrateDatabase } from '../../src/platform/db/migrate.ts';
import { type EmbeddedPostgres, startPostgres } from '../../src/platform/embedded-postgres.ts';

/** Where benches stand: a durable PostgreSQL of their own in a folder that goes away with them. */
export interface Ground {
  /** A migrated database of its own. */
  createDatabase(): Promise<BenchDatabase>;
  /** Deals of the largest portal. */
  readonly deals: number;
  /** A remark for whoever watches; figures go elsewhere. */
  note(text: string): void;
}
export interface BenchDatabase {
  readonly appUrl: string;
  readonly ownerUrl: string;
  /** Sees past row-level security: for setting up and for looking, never for what is measured. */
  readonly superuserUrl: string;
}

/** The server as production runs it: nothing is switched off that makes a commit durable. */
export async function layGround(options: {
  readonly deals: number;
  readonly note: (text: string) => void;
}): Promise<Ground & { close(): Promise<void> }> {
  const home = fs.mkdtempSync(path.join(os.tmpdir(), 'tributary-bench-'));
  const forget = () => fs.rmSync(home, { recursive: true, force: true });
  const server = await startPostgres({ home }).catch((error: unknown) => {
    forget();
    throw error;
  });
  let databases = 0;
  let closed: Promise<void> | null = null;
  return {
    ...options,
    createDatabase: () => {
      databases += 1;
      return createDatabase(server, `bench_${databases}`);
    },
    close: () => {
      closed ??= server.stop().finally(forget);
      return closed;
    },
  };
}

async function createDatabase(server: EmbeddedPostgres, name: string): Promise<BenchDatabase> {
  const admin = postgres(server.url('postgres'), { max: 1 });
  await admin`create database ${admin(name)} owner tributary_owner`;
  await admin.end();
  const ownerUrl = server.url(name, 'tributary_owner');
  await migrateDatabase(ownerUrl);
  return { ownerUrl, appUrl: server.url(name, 'tributary_app'), superuserUrl: server.url(name) };
}
