import { expect, test } from 'vitest';
import { associations, objects, openSandbox } from './testing.ts';

test('a deal moved to won is won now; moved back it is open again, and its history tells', async () => {
  const { sandbox, portalId, call, clock } = await openSandbox();
  const id = sandbox.control.createDeal(portalId, { dealname: 'A', closedate: '2027-01-01' });
  const read = async () => {
    const names =
      'hs_is_closed_won,hs_closed_won_date,closedate,hs_v2_date_entered_closedwon,hs_v2_date_exited_closedwon';
    return (await call('GET', objects('deals', `/${id}?properties=${names}`))).body.properties;
  };
  await clock.advance(60_000);
  sandbox.control.moveStage(portalId, id, 'closedwon');
  expect(await read()).toMatchObject({
    hs_is_closed_won: 'true',
    hs_closed_won_date: '2026-11-20T10:01:00.000Z',
    closedate: '2026-11-20T10:01:00.000Z',
    hs_v2_date_entered_closedwon: '2026-11-20T10:01:00.000Z',
  });
  await clock.advance(60_000);
  sandbox.control.moveStage(portalId, id, 'contractsent');
  expect(await read()).toMatchObject({
    hs_is_closed_won: 'false',
    hs_closed_won_date: null,
    hs_v2_date_exited_closedwon: '2026-11-20T10:02:00.000Z',
  });
});

test('amounts are also shown in the portal’s own currency', async () => {
  const { sandbox, portalId, call } = await openSandbox({ portal: { additionalCurrencies: ['EUR'] } });
  sandbox.portal(portalId).exchangeRates.set('EUR', '1.08');
  const id = sandbox.control.createDeal(portalId, {
    dealname: 'A',
    amount: '100',
    deal_currency_code: 'EUR',
  });
  const answer = await call('GET', objects('deals', `/${id}?properties=amount_in_home_currency`));
  expect(answer.body.properties.amount_in_home_currency).toBe('108');
  const foreign = await call('PATCH', objects('deals', `/${id}`), {
    properties: { deal_currency_code: 'XAF' },
  });
  expect(foreign.body.errors[0]?.code).toBe('INVALID_OPTION');
});

test('a logged meeting stands on its deal and people, a moved person with the new employer', async () => {
  const { sandbox, portalId, call } = await openSandbox();
  const { control } = sandbox;
  const [old, next] = ['Old', 'New'].map((name) => control.create(portalId, 'companies', { name }));
  const contact = control.create(portalId, 'contacts', { email: 'p@old.example' });
  const deal = control.createDeal(portalId, { dealname: 'A' });
  control.moveContact(portalId, contact, old ?? '');
  control.moveContact(portalId, contact, next ?? '');
  const meeting = control.logMeeting(
    portalId,
    { hs_activity_type: 'Demo' },
    { deals: [deal], contacts: [contact] },
  );
  const ends = async (from: string, to: string, id: string) =>
    (await call('POST', associations(from, to, 'batch/read'), { inputs: [{ id }] })).body.results[0]?.to.map(
      (each) => each.toObjectId,
    );
  expect(await ends('contacts', 'companies', contact)).toEqual([next]);
  expect(await ends('deals', 'meetings', deal)).toEqual([meeting]);
  expect(await ends('meetings', 'contacts', meeting)).toEqual([contact]);
  const answer = await call(
    'GET',
    objects('meetings', `/${meeting}?properties=hs_meeting_outcome,hs_meeting_start_time`),
  );
  expect(answer.body.properties).toMatchObject({
    hs_meeting_outcome: 'COMPLETED',
    hs_meeting_start_time: '2026-11-20T09:00:00.000Z',
  });
});

test('the text of a mail is given only with its own scope', async () => {
  const { sandbox, portalId, call } = await openSandbox({
    portal: { grantedScopes: ['oauth', 'crm.objects.contacts.read'] },
  });
  const id = sandbox.control.create(portalId, 'emails', {
    hs_email_subject: 'Private',
    hs_email_status: 'SENT',
  });
  const answer = await call('GET', objects('emails', `/${id}?properties=hs_email_subject,hs_email_status`));
  expect(answer.body.properties).toMatchObject({ hs_email_status: 'SENT' });
  expect(answer.body.properties).not.toHaveProperty('hs_email_subject');
});

test('a deep link opens the record, also by a merged-away id', async () => {
  const { sandbox, portalId } = await openSandbox();
  const [a, b] = ['A', '<B>'].map((dealname) => sandbox.control.createDeal(portalId, { dealname }));
  sandbox.control.mergeDeals(portalId, b ?? '', a ?? '');
  const page = await sandbox.app.request(`/contacts/${portalId}/record/0-3/${a}`);
  expect(page.status).toBe(200);
  expect(await page.text()).toContain('&lt;B&gt;');
  expect((await sandbox.app.request(`/contacts/${portalId}/record/0-3/1`)).status).toBe(404);
});
