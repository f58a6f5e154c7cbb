import type { Environment } from '../../src/platform/config.ts';

/** What a person sees of the demo. */
export interface Screen {
  line(text?: string): void;
  heading(text: string): void;
  /** A bar that is drawn in place on a terminal, and said at every tenth where lines only are kept. */
  progress(label: string): Progress;
}
export interface Progress {
  show(done: number, total: number, detail?: string): void;
  end(detail: string): void;
}

const WIDTH = 28;

export function createScreen(
  out: NodeJS.WritableStream & { readonly isTTY?: boolean },
  env: Environment,
): Screen {
  const tty = out.isTTY === true && !env.NO_COLOR;
  const bold = (text: string) => (tty ? `\x1b[1m${text}\x1b[0m` : text);
  const line = (text = '') => out.write(`${text}\n`);
  return {
    line,
    heading: (text) => {
      line();
      line(bold(text));
    },
    progress: (label) => (tty ? barInPlace(out, label) : lineByTenth(line, label)),
  };
}

function barInPlace(out: NodeJS.WritableStream, label: string): Progress {
  return {
    show(done, total, detail = '') {
      const part = total === 0 ? 1 : Math.min(1, done / total);
      const full = Math.round(part * WIDTH);
      const bar = `${'█'.repeat(full)}${'░'.repeat(WIDTH - full)}`;
      out.write(`\r\x1b[2K  ${label} ${bar} ${Math.floor(part * 100)} %  ${detail}`);
    },
    end: (detail) => out.write(`\r\x1b[2K  ${label}: ${detail}\n`),
  };
}

function lineByTenth(line: (text: string) => void, label: string): Progress {
  let said = 0;
  return {
    show(done, total, detail = '') {
      const tenth = total === 0 ? 10 : Math.floor((Math.min(done, total) / total) * 10);
      if (tenth <= said) return;
      said = tenth;
      line(`  ${label} ${tenth * 10} %  ${detail}`.trimEnd());
    },
    end: (detail) => line(`  ${label}: ${detail}`),
  };
}
