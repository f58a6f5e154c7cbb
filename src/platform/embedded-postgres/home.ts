import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { serverAccount } from './account.ts';

export interface HomeChoice {
  /** Absolute path of the folder that holds the embedded database. */
  readonly home: string;
  /** Why it is not the usual folder, as a sentence for the log; null when it is. */
  readonly note: string | null;
}

/**
 * Chooses the folder of the embedded database: `$XDG_DATA_HOME/tributary`, else `~/.local/share/tributary`.
 * Root's own home is usually closed to others (0700), and the server runs as `nobody` there, who must be able to
 * enter: then `/var/lib/tributary`, or a folder under the system's temp folder where that cannot be made.
 */
export function chooseHome(options: {
  readonly xdgDataHome?: string | undefined;
  readonly userHome?: string;
  readonly systemFolder?: string;
}): HomeChoice {
  const userHome = options.userHome ?? os.homedir();
  const usual = path.resolve(options.xdgDataHome ?? path.join(userHome, '.local', 'share'), 'tributary');
  if (canEnter(path.dirname(usual)) && canMake(usual)) return { home: usual, note: null };

  const why = serverAccount().drops
    ? 'cannot be entered by the account the server runs as'
    : 'cannot be written';
  const systemFolder = options.systemFolder ?? '/var/lib/tributary';
  const home =
    canEnter(path.dirname(systemFolder)) && canMake(systemFolder)
      ? systemFolder
      : path.join(os.tmpdir(), `tributary-${process.getuid?.() ?? 'user'}`);
  return { home, note: `${usual} ${why}; the embedded database lives in ${home} instead` };
}

/**
 * Makes the folder and checks that it is ours. Returns its real path.
 * @throws when it lies where the server's account cannot enter, is a link, or belongs to somebody else.
 */
export function prepareHome(home: string): string {
  const { drops, ids } = serverAccount();
  if (!canEnter(path.dirname(path.resolve(home))))
    throw new Error(
      `${home} lies under a folder that uid ${ids.uid} cannot enter; choose another with DATA_DIR`,
    );
  makeFolder(home);
  const stat = fs.lstatSync(home);
  if (!stat.isDirectory())
    throw new Error(`${home} is not a folder (a link is not followed); choose another with DATA_DIR`);
  // `nobody` is shared by other daemons and the temp folder by everybody: only a folder of our own uid is trusted.
  if (process.getuid && stat.uid !== process.getuid())
    throw new Error(
      `${home} belongs to uid ${stat.uid}, not to us (uid ${process.getuid()}); choose another with DATA_DIR`,
    );
  fs.chmodSync(home, drops ? 0o711 : 0o700);
  return fs.realpathSync(home);
}

/** May the server's account walk down to `folder`? Parts that do not exist yet are made by us. */
export function canEnter(folder: string): boolean {
  if (!serverAccount().drops) return true;
  return ancestors(path.resolve(folder)).every((part) => {
    const stat = fs.statSync(part, { throwIfNoEntry: false });
    return stat === undefined || (stat.mode & 0o001) !== 0;
  });
}

function canMake(folder: string): boolean {
  try {
    makeFolder(folder);
    fs.accessSync(folder, fs.constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** Folders that we make on the way must let the server's account through, whatever our umask is. */
function makeFolder(folder: string): void {
  const missing = ancestors(path.resolve(folder)).filter((part) => !fs.existsSync(part));
  fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (serverAccount().drops) for (const part of missing) fs.chmodSync(part, 0o711);
}

function ancestors(folder: string): readonly string[] {
  const parent = path.dirname(folder);
  return parent === folder ? [folder] : [folder, ...ancestors(parent)];
}
