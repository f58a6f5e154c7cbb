import { expect, test } from 'vitest';
import { memoryLog } from '../../src/platform/log.ts';
import { createNodeLog } from '../../src/platform/log-node.ts';
import { redactText } from '../../src/platform/redact.ts';

/** Every planted secret holds this word; a log line that shows it has leaked. */
const CANARY = 'canary';

function plantedErrors(): Error[] {
  const sdk = Object.assign(
    new Error(`HTTP 401: {"message":"expired","access_token":"${CANARY}1","refreshToken": "${CANARY}2"}`),
    {
      code: 401,
      config: { headers: { Authorization: `Bearer ${CANARY}3-0` } },
      response: { headers: { 'set-cookie': `${CANARY}4` }, body: `${CANARY}5` },
    },
  );
  const database = Object.assign(new Error('duplicate key'), {
    code: '23505',
    detail: `Key (email)=(${CANARY}6@example.com)`,
    parameters: [`${CANARY}7`],
  });
  const drizzle = new Error(
    `Failed query: insert into connections values ($1, $2)\nparams: ${CANARY}8,${CANARY}9\nand ${CANARY}10`,
    { cause: database },
  );
  const connect = new Error(
    `cannot connect to postgres://tributary_owner:${CANARY}11@db:5432/tributary?sslmode=require`,
    { cause: sdk },
  );
  const fetchFailed = new TypeError('fetch failed', {
    cause: new Error(`GET https://api.example/x?hapikey=${CANARY}12&limit=1`),
  });
  return [
    sdk,
    drizzle,
    connect,
    fetchFailed,
    new AggregateError([sdk, new Error(`grant_type=refresh_token&refresh_token=${CANARY}13`)], 'both failed'),
  ];
}

const PLANTED_TEXTS = [
  `callback https://tributary.example/oauth/hubspot/callback?code=${CANARY}-a&state=${CANARY}-b&error_description=${CANARY}`,
  `authorization: Bearer ${CANARY}-c1`,
  `curl -H 'Authorization: Basic ${CANARY}Zm9vOmJhcg=='`,
  `cookie: session=${CANARY}; other=${CANARY}`,
  `x-hubspot-signature-v3: ${CANARY}=`,
  `{"client_secret" : "${CANARY}\\"${CANARY}"}`,
  `client_id=1&client_secret=${CANARY}&code_verifier=${CANARY}`,
  `sent eyJhbGciOiJIUzI1NiJ9.${CANARY}.${CANARY}`,
  `key trb_abcd1234_${CANARY}0000`,
  `MASTER_KEYS=v1:${CANARY}${'A'.repeat(37)}=`,
  `{"access_token":"${'x'.repeat(7_970)}${CANARY}${'x'.repeat(50)}"}`,
  `redis://:${CANARY}@cache/0`,
];

const PLANTED_FIELDS = {
  accessToken: `${CANARY}`,
  refresh_token: `${CANARY}`,
  tokens: { accessToken: `${CANARY}` },
  headers: {
    authorization: `Bearer ${CANARY}`,
    'X-Api-Key': CANARY,
    'proxy-authorization': CANARY,
    Cookie: CANARY,
  },
  nested: [{ deep: { clientSecret: CANARY, password: CANARY, masterKeys: [CANARY] } }],
  request: new Request('https://api.example/?token=canary', { headers: { authorization: CANARY } }),
  fetchHeaders: new Headers({ authorization: CANARY }),
  sealed: new TextEncoder().encode(CANARY),
  url: new URL(`https://user:${CANARY}@example.com/`),
  map: new Map([['any', `Bearer ${CANARY}-1`]]),
};

test('no planted secret appears in a line of the JSON log or of the memory log', () => {
  const written: string[] = [];
  const memory = memoryLog();
  const json = createNodeLog({
    level: 'debug',
    destination: { write: (line: string) => void written.push(line) },
  });
  for (const log of [memory, json]) {
    for (const error of plantedErrors()) log.error('It failed', { error });
    for (const text of PLANTED_TEXTS) {
      log.info(text);
      log.warn('Text in a field', { text });
      log.fatal('Text in an error', { error: new Error(text) });
    }
    log.info('Fields', PLANTED_FIELDS);
    log.child({ clientSecret: CANARY }).child(PLANTED_FIELDS).debug('Carried');
  }
  for (const line of [...written, ...memory.lines.map((line) => JSON.stringify(line))])
    expect(line).not.toContain(CANARY);
  expect(written).toHaveLength(memory.lines.length);
});

test('what helps stays: codes, causes, where it happened, and ordinary words', () => {
  const log = memoryLog();
  const cause = Object.assign(new Error('duplicate key'), { code: '23505', constraint_name: 'deals_pkey' });
  log.child({ connectionId: 'c1' }).error('Page not stored', {
    error: new Error('store failed', { cause }),
    page: 3,
    hasToken: true,
    amountMinor: 12n,
  });
  expect(log.lines).toMatchObject([
    {
      level: 'error',
      message: 'Page not stored',
      connectionId: 'c1',
      page: 3,
      hasToken: true,
      amountMinor: '12',
      error: {
        name: 'Error',
        message: 'store failed',
        cause: { code: '23505', constraint_name: 'deals_pkey' },
      },
    },
  ]);
  expect(JSON.stringify(log.lines)).toContain('log.test.ts');
  const harmless =
    'basic plan of deal 12, state=open in the stage, keys: v1 and v2, postgres://db:5432/x, 3 tokens refreshed';
  expect(redactText(harmless).replace('state=[redacted]', 'state=open')).toBe(harmless);
});

test('JSON lines: level by name, time, message, fields; quieter than the level is dropped; circles end', () => {
  const written: string[] = [];
  const log = createNodeLog({
    level: 'warn',
    destination: { write: (line: string) => void written.push(line) },
  });
  const circle: Record<string, unknown> = { at: new Date(0) };
  circle.itself = circle;
  log.info('dropped');
  log.warn('kept', { circle });
  expect(JSON.parse(written.join(''))).toMatchObject({
    level: 'warn',
    message: 'kept',
    at: expect.stringMatching(/Z$/),
    circle: { at: '1970-01-01T00:00:00.000Z' },
  });
});
