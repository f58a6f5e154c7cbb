/** `npm run bench -- [--json] [--deals N] [NAME…]`: how fast the line is, each figure beside what it could at best be. */
import { parseArgs } from 'node:util';
import { type Figure, toTable } from './figures.ts';
import { type Ground, layGround } from './ground.ts';
import { benchCalls } from './hubspot-calls.ts';
import { benchRecompute, benchRunBytes } from './recompute-store.ts';
import { benchWebhookAck, benchWebhookAckRate } from './webhook-ack.ts';
import { benchWebhookToCard } from './webhook-to-card.ts';

interface Bench {
  /** Figures that one run of it gives; asking for any of them runs it. */
  readonly names: readonly string[];
  run(ground: Ground): Promise<readonly Figure[]>;
}

const BENCHES: readonly Bench[] = [
  { names: ['webhook-ack'], run: benchWebhookAck },
  { names: ['webhook-ack-rate'], run: benchWebhookAckRate },
  { names: ['recompute-store'], run: benchRecompute },
  { names: ['run-bytes'], run: benchRunBytes },
  { names: ['webhook-to-card', 'webhook-to-card-p50'], run: benchWebhookToCard },
  { names: ['hubspot-backfill-calls', 'hubspot-writeback-calls'], run: benchCalls },
];
const EXIT_USAGE = 64;

process.exitCode = await run(process.argv.slice(2));

async function run(args: readonly string[]): Promise<number> {
  const asked = readArguments(args);
  if (typeof asked === 'string') {
    process.stderr.write(`${asked}\n`);
    return EXIT_USAGE;
  }
  let interrupted = false;
  const note = (text: string) => {
    if (!interrupted) process.stderr.write(`  ${text}\n`);
  };
  const ground = await layGround({ deals: asked.deals, note });
  leaveNothingBehind(() => {
    interrupted = true;
    return ground.close();
  });
  const figures: Figure[] = [];
  try {
    for (const bench of BENCHES) {
      if (!bench.names.some((name) => asked.names.includes(name))) continue;
      for (const figure of await bench.run(ground)) {
        if (!asked.names.includes(figure.name)) continue;
        figures.push(figure);
        if (asked.json) process.stdout.write(`${JSON.stringify(figure)}\n`);
      }
    }
  } finally {
    await ground.close();
  }
  if (!asked.json) process.stdout.write(toTable(figures));
  return 0;
}

/** Ctrl-C ends in the middle of something: what then fails because its database is gone has nothing more to say. */
function leaveNothingBehind(close: () => Promise<void>): void {
  const stop = (code: number) => {
    for (const event of ['uncaughtException', 'unhandledRejection'] as const) process.on(event, () => {});
    void close().finally(() => process.exit(code));
  };
  process.once('SIGINT', () => stop(130));
  process.once('SIGTERM', () => stop(143));
}

/** What was asked for, or a sentence about what cannot be. No name means every name. */
function readArguments(args: readonly string[]) {
  const known = BENCHES.flatMap((bench) => bench.names);
  const options = { json: { type: 'boolean' }, deals: { type: 'string' } } as const;
  try {
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
    const unknown = positionals.filter((name) => !known.includes(name));
    if (unknown.length > 0)
      return `There is no bench named ${unknown.join(', ')}. The names are: ${known.join(', ')}.`;
    if (values.deals !== undefined && !/^[1-9]\d{2,6}$/.test(values.deals))
      return '--deals must be a whole number from 100 to 9999999.';
    return {
      json: values.json ?? false,
      deals: Number(values.deals ?? 100_000),
      names: positionals.length > 0 ? positionals : known,
    };
  } catch (error) {
    return `${error instanceof Error ? error.message : String(error)} The names are: ${known.join(', ')}.`;
  }
}
