import { createHmac } from 'node:crypto';
import { expect, test } from 'vitest';
import type { RawRequest } from '../../../connectors/connector.ts';
import { createHubSpotEdge } from '../../../connectors/hubspot/edge.ts';

const SECRET = 'yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy';
const URL_PLAIN = 'https://www.example.com/webhook_uri';
const BODY = "{'example_field':'example_value'}";
const TS = 1_700_000_300_000;
const SIGNATURE = 'RnbPH7+UMKVkbV32P8bz450N4M56aPmcru1+D3kSDtw=';
const edge = createHubSpotEdge({ appId: '7906213' });

function request(over: Partial<RawRequest> & { ts?: string; sig?: string } = {}): RawRequest {
  const { ts = String(TS), sig = SIGNATURE, ...rest } = over;
  return {
    method: 'POST',
    url: URL_PLAIN,
    body: BODY,
    headers: { 'x-hubspot-signature-v3': sig, 'x-hubspot-request-timestamp': ts },
    ...rest,
  };
}
const sign = (secret: string, text: string) => createHmac('sha256', secret).update(text).digest('base64');

test.each([
  [URL_PLAIN, BODY, 1_693_657_560_000, 'K36dawei4A+QBNolUOqo7s91KQDWQ5MXZ/QufNYuk/Y='],
  [URL_PLAIN, BODY, TS, SIGNATURE],
  ['https://www.example.com/w?x=%28a%29&y=%20%26', '[]', TS, 'pgaG3XcPUZU5LY9SdfWKuhML/l0j+Trn3BJWWaQeVck='],
])('accepts the published vector %s %s', async (url, body, ts, sig) => {
  expect(await edge.verify(request({ url, body, ts: String(ts), sig }), [SECRET], new Date(ts))).toEqual({
    ok: true,
  });
});

test.each([
  [300_000, true],
  [300_001, false],
  [-300_000, true],
  [-300_001, false],
])('a clock %d ms off: accepted = %s', async (skew, ok) => {
  expect((await edge.verify(request(), [SECRET], new Date(TS + skew))).ok).toBe(ok);
});

test.each(['', 'abc', '1700000300', `${TS} `, `+${TS}`, '1.7000003e12', `${TS}0`, 'NaN'])(
  'refuses the timestamp %j even when it is signed',
  async (ts) => {
    const sig = sign(SECRET, `POST${URL_PLAIN}${BODY}${ts}`);
    expect(await edge.verify(request({ ts, sig }), [SECRET], new Date(TS))).toEqual({
      ok: false,
      reason: 'bad_timestamp',
    });
  },
);

test.each([
  ['nothing', ''],
  ['a prefix', `v3=${SIGNATURE}`],
  ['a part', SIGNATURE.slice(0, 20)],
  ['a part padded', `${SIGNATURE.slice(0, 39)}====`],
  ['no padding', SIGNATURE.slice(0, -1)],
  ['hex', createHmac('sha256', SECRET).update(`POST${URL_PLAIN}${BODY}${TS}`).digest('hex')],
  ['another', 'K36dawei4A+QBNolUOqo7s91KQDWQ5MXZ/QufNYuk/Y='],
  ['trailing space', `${SIGNATURE} `],
  ['two', `${SIGNATURE},${SIGNATURE}`],
])('refuses a signature that is %s', async (_, sig) => {
  expect((await edge.verify(request({ sig }), [SECRET], new Date(TS))).ok).toBe(false);
});

test('refuses a request without the headers', async () => {
  const without = (name: string) => {
    const { [name]: _, ...headers } = request().headers;
    return request({ headers });
  };
  expect(await edge.verify(without('x-hubspot-signature-v3'), [SECRET], new Date(TS))).toEqual({
    ok: false,
    reason: 'no_signature',
  });
  expect(await edge.verify(without('x-hubspot-request-timestamp'), [SECRET], new Date(TS))).toEqual({
    ok: false,
    reason: 'bad_timestamp',
  });
});

test('covers every signed part: method, url, body, timestamp', async () => {
  const now = new Date(TS);
  for (const changed of [
    { method: 'PUT' },
    { url: `${URL_PLAIN}?a=1` },
    { body: `${BODY} ` },
    { ts: String(TS + 1) },
  ]) {
    expect((await edge.verify(request(changed), [SECRET], now)).ok).toBe(false);
  }
});

test('takes the old and the new secret while they rotate, and no empty one', async () => {
  const now = new Date(TS);
  expect((await edge.verify(request(), ['new', SECRET], now)).ok).toBe(true);
  expect((await edge.verify(request(), [SECRET, 'new'], now)).ok).toBe(true);
  expect((await edge.verify(request(), ['new', 'newer'], now)).ok).toBe(false);
  expect((await edge.verify(request(), [], now)).ok).toBe(false);
  const empty = createHmac('sha256', '').update(`POST${URL_PLAIN}${BODY}${TS}`).digest('base64');
  expect((await edge.verify(request({ sig: empty }), [''], now)).ok).toBe(false);
});

test('accepts an empty body', async () => {
  const sig = sign(SECRET, `POST${URL_PLAIN}${TS}`);
  expect((await edge.verify(request({ body: '', sig }), [SECRET], new Date(TS))).ok).toBe(true);
});

test.each([
  ['%3A', ':'],
  ['%2F', '/'],
  ['%3f', '?'],
  ['%40', '@'],
  ['%21', '!'],
  ['%24', '$'],
  ['%27', "'"],
  ['%28', '('],
  ['%29', ')'],
  ['%2A', '*'],
  ['%2c', ','],
  ['%3B', ';'],
])('decodes %s before hashing', async (escaped, plain) => {
  const sig = sign(SECRET, `POST${URL_PLAIN}?q=${plain}${BODY}${TS}`);
  expect(
    (await edge.verify(request({ url: `${URL_PLAIN}?q=${escaped}`, sig }), [SECRET], new Date(TS))).ok,
  ).toBe(true);
});

test.each(['%20', '%26', '%3D', '%2B', '%25', '%23'])('does not decode %s', async (escaped) => {
  const url = `${URL_PLAIN}?q=${escaped}`;
  const asIs = sign(SECRET, `POST${url}${BODY}${TS}`);
  const decoded = sign(SECRET, `POST${URL_PLAIN}?q=${decodeURIComponent(escaped)}${BODY}${TS}`);
  expect((await edge.verify(request({ url, sig: asIs }), [SECRET], new Date(TS))).ok).toBe(true);
  expect((await edge.verify(request({ url, sig: decoded }), [SECRET], new Date(TS))).ok).toBe(false);
});

const event = (over: Record<string, unknown>) => ({
  eventId: 1,
  subscriptionId: 2,
  portalId: 891472211,
  appId: 7906213,
  occurredAt: 1715203101896,
  attemptNumber: 0,
  ...over,
});
const parseOne = async (over: Record<string, unknown>) => {
  const [notice] = await edge.parse(JSON.stringify([event(over)]));
  if (notice === undefined) throw new Error('no notice');
  return notice;
};
const deal = (externalId: string) => ({ kind: 'deal', externalId });

test.each<[string, Record<string, unknown>, unknown[]]>([
  [
    'a changed property',
    { subscriptionType: 'object.propertyChange', objectTypeId: '0-3', objectId: 847297356 },
    [deal('847297356')],
  ],
  [
    'a new meeting',
    { subscriptionType: 'object.creation', objectTypeId: '0-47', objectId: 5, changeFlag: 'NEW' },
    [{ kind: 'meeting', externalId: '5' }],
  ],
  ['an old style change', { subscriptionType: 'deal.propertyChange', objectId: 7 }, [deal('7')]],
  [
    'a company deleted',
    { subscriptionType: 'company.deletion', objectId: 7 },
    [{ kind: 'account', externalId: '7' }],
  ],
  ['a deal restored', { subscriptionType: 'deal.restore', objectId: 7 }, [deal('7')]],
  [
    'a merge into a third record',
    {
      subscriptionType: 'deal.merge',
      primaryObjectId: 1,
      mergedObjectIds: [2],
      newObjectId: 3,
      numberOfPropertiesMoved: 5,
    },
    [deal('1'), deal('2'), deal('3')],
  ],
  [
    'an old association',
    {
      subscriptionType: 'deal.associationChange',
      associationType: 'DEAL_TO_COMPANY',
      fromObjectId: 1,
      toObjectId: 9,
    },
    [deal('1')],
  ],
  [
    'a new association between a deal and a meeting',
    {
      subscriptionType: 'object.associationChange',
      fromObjectTypeId: '0-3',
      toObjectTypeId: '0-47',
      fromObjectId: 1,
      toObjectId: 9,
    },
    [deal('1'), { kind: 'meeting', externalId: '9' }],
  ],
  [
    'two companies',
    {
      subscriptionType: 'object.associationChange',
      fromObjectTypeId: '0-2',
      toObjectTypeId: '0-2',
      fromObjectId: 1,
      toObjectId: 9,
    },
    [
      { kind: 'account', externalId: '1' },
      { kind: 'account', externalId: '9' },
    ],
  ],
  ['a ticket', { subscriptionType: 'ticket.creation', objectId: 7 }, []],
  ['our custom object', { subscriptionType: 'object.creation', objectTypeId: '2-123', objectId: 7 }, []],
  ['a conversation', { subscriptionType: 'conversation.newMessage', objectId: 7 }, []],
  ['something unheard of', { subscriptionType: 'galaxy.collision' }, []],
])('looks again at what %s concerns', async (_, over, refs) => {
  expect(await parseOne(over)).toMatchObject({
    accountExternalId: '891472211',
    refs,
    echo: false,
    erase: false,
  });
});

test('reads the time, and takes an event without one', async () => {
  const change = { subscriptionType: 'deal.creation', objectId: 7 };
  expect((await parseOne(change)).occurredAt).toBe('2024-05-08T21:18:21.896Z');
  expect((await parseOne({ ...change, occurredAt: undefined })).refs).toEqual([deal('7')]);
});

test('a privacy deletion asks for erasure', async () => {
  expect(await parseOne({ subscriptionType: 'contact.privacyDeletion', objectId: 7 })).toMatchObject({
    erase: true,
    refs: [{ kind: 'contact', externalId: '7' }],
  });
});

test.each([
  [{ changeSource: 'INTEGRATION', sourceId: '7906213' }, true],
  [{ changeSource: 'INTEGRATION', sourceId: 7906213 }, true],
  [{ changeSource: 'INTEGRATION', sourceId: '1' }, false],
  [{ changeSource: 'CRM_UI', sourceId: 'userId:7906213' }, false],
  [{ changeSource: 'CRM_UI', sourceId: '7906213' }, false],
])('an echo is only what our own app did: %j → %s', async (source, echo) => {
  const change = { subscriptionType: 'deal.propertyChange', objectId: 7, ...source };
  expect((await parseOne(change)).echo).toBe(echo);
  const [unaware] = await createHubSpotEdge().parse(JSON.stringify([event(change)]));
  expect(unaware?.echo).toBe(false);
});

test('the key ignores the attempt and the order of fields, and nothing else', async () => {
  const change = {
    subscriptionType: 'deal.propertyChange',
    objectId: 7,
    propertyName: 'amount',
    propertyValue: '1',
  };
  const key = (await parseOne(change)).deliveryKey;
  expect(key).toMatch(/^[0-9a-f]{64}$/);
  expect((await parseOne({ ...change, attemptNumber: 4 })).deliveryKey).toBe(key);
  const turned = Object.fromEntries(Object.entries(event(change)).reverse());
  expect((await edge.parse(JSON.stringify([turned])))[0]?.deliveryKey).toBe(key);
  for (const other of [
    { propertyValue: '2' },
    { occurredAt: 1 },
    { eventId: 9 },
    { unknownField: [1, { a: 2 }] },
  ]) {
    expect((await parseOne({ ...change, ...other })).deliveryKey).not.toBe(key);
  }
});

test('two ids beyond the exact numbers keep two keys', async () => {
  const text = (id: string) => `[{"subscriptionType":"deal.creation","portalId":1,"objectId":${id}}]`;
  const [a] = await edge.parse(text('9007199254740993'));
  const [b] = await edge.parse(text('9007199254740992'));
  expect(a?.refs).toEqual([deal('9007199254740993')]);
  expect(a?.deliveryKey).not.toBe(b?.deliveryKey);
});

test.each([
  '',
  'null',
  '{}',
  '[]',
  '[1]',
  '[{}]',
  '[{"subscriptionType":"deal.creation"}]',
  '[{"portalId":1',
  JSON.stringify(Array.from({ length: 101 }, () => event({ subscriptionType: 'deal.creation' }))),
])('refuses a body that HubSpot does not send: %j', async (body) => {
  await expect(edge.parse(body)).rejects.toMatchObject({ name: 'BadNotice' });
});

function card(query: string, method = 'GET') {
  const url = `https://api.example.com/cards/deal?${query}`;
  const sig = sign(SECRET, `${method}${url}${TS}`);
  return edge.verifyCard(request({ method, url, body: '', sig }), [SECRET], new Date(TS));
}

test('a card call names account, user and record', async () => {
  expect(await card('dealId=42&userId=7&portalId=1&userEmail=a@b.c&appId=3')).toEqual({
    ok: true,
    caller: { accountExternalId: '1', userExternalId: '7', recordRef: deal('42') },
  });
  expect(await card('objectId=42&objectTypeId=0-2&userId=7&portalId=1')).toMatchObject({
    caller: { recordRef: { kind: 'account', externalId: '42' } },
  });
  expect(await card('objectId=42&objectTypeId=2-9&userId=7&portalId=1')).toMatchObject({
    caller: { recordRef: null },
  });
});

test('a card call that brings its own portal before HubSpot’s is refused', async () => {
  expect(await card('dealId=42&portalId=2&userId=7&portalId=1')).toEqual({ ok: false, reason: 'no_caller' });
  expect(await card('dealId=42&userId=7')).toEqual({ ok: false, reason: 'no_caller' });
  expect(await card('dealId=42&userId=7&portalId=1x')).toEqual({ ok: false, reason: 'no_caller' });
  expect(await card('dealId=42x&userId=7&portalId=1')).toMatchObject({
    ok: true,
    caller: { recordRef: null },
  });
});

test('a card call whose record was changed after signing is refused', async () => {
  const url = 'https://api.example.com/cards/deal?dealId=42&userId=7&portalId=1';
  const sig = sign(SECRET, `GET${url}${TS}`);
  const forged = request({ method: 'GET', url: url.replace('42', '43'), body: '', sig });
  expect(await edge.verifyCard(forged, [SECRET], new Date(TS))).toEqual({
    ok: false,
    reason: 'bad_signature',
  });
});
