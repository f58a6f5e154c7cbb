import { parseArgs } from 'node:util';

/** What `npm run demo -- …` may be told. */
export interface DemoOptions {
  /** Stop after the story instead of serving on. */
  readonly exit: boolean;
  /** One JSON line last on standard output; words for people go to standard error. */
  readonly json: boolean;
  readonly seed: number;
  readonly deals: number;
  readonly partners: number;
  readonly activities: number;
}

const USAGE =
  'npm run demo -- [--crm hubspot|all] [--exit] [--json] [--seed N] [--deals N] [--partners N] [--activities N]';
/** Three in a hundred activities are logged on people only: so many leave more than 6,000 around deals. */
const DEFAULT_ACTIVITIES = '6300';

/** The options, or a sentence about what is wrong with them. */
export function readOptions(argv: readonly string[]): DemoOptions | string {
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: {
        crm: { type: 'string', default: 'hubspot' },
        exit: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        seed: { type: 'string', default: '1' },
        deals: { type: 'string', default: '1200' },
        partners: { type: 'string', default: '60' },
        activities: { type: 'string', default: DEFAULT_ACTIVITIES },
      },
    });
    if (values.crm !== 'hubspot' && values.crm !== 'all')
      return `There is no sandbox of ${JSON.stringify(values.crm)}; --crm takes hubspot or all.`;
    return {
      exit: values.exit,
      json: values.json,
      seed: wholeNumber('seed', values.seed, 0, 2 ** 32 - 1),
      deals: wholeNumber('deals', values.deals, 40, 20_000),
      partners: wholeNumber('partners', values.partners, 6, 200),
      activities: wholeNumber('activities', values.activities, 0, 100_000),
    };
  } catch (error) {
    const said = error instanceof Error ? error.message.split('. To specify')[0] : String(error);
    return `${said?.replace(/\.$/, '')}. Usage: ${USAGE}`;
  }
}

function wholeNumber(name: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (/^\d{1,10}$/.test(text) && value >= min && value <= max) return value;
  throw new Error(`--${name} takes a whole number from ${min} to ${max}, not ${JSON.stringify(text)}`);
}
