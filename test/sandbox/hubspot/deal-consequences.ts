import { stageOf } from './deal-pipelines.ts';
import type { ObjectTable, Portal, Row, Values } from './state.ts';

/**
 * What HubSpot computes on a deal after a write: closed flags, the days it entered and left stages, when it was
 * won, and the amount in the portal's currency. Empty for every other kind of record.
 */
export function dealConsequences(
  portal: Portal,
  table: ObjectTable,
  row: Row,
  before: Values,
  nowMs: number,
): Values {
  if (table.typeId !== '0-3') return {};
  const at = new Date(nowMs).toISOString();
  const consequences: Record<string, string | null> = {};
  const stageId = row.values.dealstage ?? null;
  if (stageId !== (before.dealstage ?? null)) {
    const stage = stageOf(portal, stageId);
    const probability = stage?.metadata.probability ?? null;
    const isClosed = stage?.metadata.isClosed === 'true';
    const isWon = isClosed && Number(probability) === 1;
    consequences.hs_is_closed = String(isClosed);
    consequences.hs_is_closed_won = String(isWon);
    consequences.hs_is_closed_lost = String(isClosed && !isWon);
    consequences.hs_deal_stage_probability = probability;
    consequences.hs_closed_won_date = isWon ? at : null;
    if (before.dealstage != null) consequences[`hs_v2_date_exited_${before.dealstage}`] = at;
    if (stageId !== null) {
      consequences[`hs_v2_date_entered_${stageId}`] = at;
      consequences[`hs_v2_date_exited_${stageId}`] = null;
    }
  }
  const currency = row.values.deal_currency_code ?? portal.homeCurrency;
  const rate = currency === portal.homeCurrency ? '1' : (portal.exchangeRates.get(currency) ?? null);
  const amount = row.values.amount ?? null;
  consequences.hs_exchange_rate = rate;
  consequences.amount_in_home_currency =
    amount === null || rate === null ? null : String(Number((Number(amount) * Number(rate)).toFixed(2)));
  return consequences;
}
