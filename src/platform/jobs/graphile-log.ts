import { Logger } from 'graphile-worker';
import type { Log } from '../log.ts';

/** graphile-worker's own messages in our log: its chatter about every job is debug to us. */
export const graphileLog = (log: Log): Logger =>
  new Logger(() => (level, message, meta) => {
    if (level === 'error') log.error(message, { ...meta });
    else if (level === 'warning') log.warn(message, { ...meta });
    else log.debug(message, { ...meta });
  });
