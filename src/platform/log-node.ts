import { type DestinationStream, pino } from 'pino';
import { createLog, type Log, type LogLevel } from './log.ts';

/** JSON lines by pino, to standard output unless another stream is given. Written at once: a last line survives an exit. */
export function createNodeLog(options: {
  readonly level: LogLevel;
  readonly destination?: DestinationStream;
}): Log {
  const settings = {
    level: 'debug',
    base: null,
    messageKey: 'message',
    timestamp: () => `,"at":"${new Date().toISOString()}"`,
    formatters: { level: (level: string) => ({ level }) },
  };
  const writer = options.destination ? pino(settings, options.destination) : pino(settings);
  return createLog(options.level, (level, message, fields) => writer[level](fields, message));
}
