import { redact } from './redact.ts';

/** Facts beside the message. An error goes under `error`; ids, counts and milliseconds are welcome; personal data is not. */
export type LogFields = Readonly<Record<string, unknown>>;
export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'fatal';

/** The message is a fixed sentence, so that lines can be counted by it; what varies goes into the fields. */
export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  fatal(message: string, fields?: LogFields): void;
  /** A log whose every line carries these fields too. */
  child(fields: LogFields): Log;
}

const LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error', 'fatal'];

/**
 * A log over a function that writes one line. Message and fields are redacted here, once, for every kind of log.
 * @param level lines below it are dropped.
 */
export function createLog(
  level: LogLevel,
  write: (level: LogLevel, message: string, fields: LogFields) => void,
  carried: LogFields = {},
): Log {
  const at =
    (lineLevel: LogLevel) =>
    (message: string, fields: LogFields = {}) => {
      if (LEVELS.indexOf(lineLevel) < LEVELS.indexOf(level)) return;
      write(lineLevel, redact(message) as string, redact({ ...carried, ...fields }) as LogFields);
    };
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    fatal: at('fatal'),
    child: (fields) => createLog(level, write, { ...carried, ...fields }),
  };
}

export interface LogLine extends LogFields {
  readonly level: LogLevel;
  readonly message: string;
}

/** Keeps its lines in memory, redacted as any log's. For tests. */
export function memoryLog(): Log & { readonly lines: readonly LogLine[] } {
  const lines: LogLine[] = [];
  const log = createLog('debug', (level, message, fields) => lines.push({ ...fields, level, message }));
  return { ...log, lines };
}
