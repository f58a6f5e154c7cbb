import type { Call, Reply, RouteSpec } from './guard.ts';
import { VERSION } from './paths.ts';
import { MAX_CUSTOM_TYPES } from './schemas.ts';

/** The portal's own facts, its currencies and limits, and the app's way out. */
export function accountRoutes(): RouteSpec[] {
  const currencies = `/settings/currencies/${VERSION}`;
  return [
    {
      method: 'GET',
      path: `/account-info/${VERSION}/details`,
      operation: 'account.details',
      handle: details,
    },
    {
      method: 'GET',
      path: `${currencies}/company-currency`,
      operation: 'currencies.home',
      handle: homeCurrency,
    },
    {
      method: 'GET',
      path: `${currencies}/exchange-rates`,
      operation: 'currencies.rates',
      handle: exchangeRates,
    },
    {
      method: 'GET',
      path: `${currencies}/exchange-rates/current`,
      operation: 'currencies.rates',
      handle: exchangeRates,
    },
    {
      method: 'GET',
      path: `/crm/limits/${VERSION}/custom-object-types`,
      operation: 'limits.customObjectTypes',
      handle: customObjectTypes,
    },
    {
      method: 'DELETE',
      path: `/appinstalls/${VERSION}/external-install`,
      operation: 'app.uninstall',
      handle: uninstall,
    },
  ];
}

function details(call: Call): Reply {
  call.needScope('oauth');
  const { portal } = call;
  const offsetMs = zoneOffsetMs(portal.timeZone, call.sandbox.clock.now());
  return {
    status: 200,
    body: {
      portalId: portal.id,
      accountType: 'STANDARD',
      timeZone: portal.timeZone,
      companyCurrency: portal.homeCurrency,
      additionalCurrencies: portal.additionalCurrencies,
      utcOffset: offsetText(offsetMs),
      utcOffsetMilliseconds: offsetMs,
      uiDomain: 'app.hubspot.com',
      dataHostingLocation: 'na1',
    },
  };
}

function homeCurrency(call: Call): Reply {
  call.needScope('settings.currencies.read');
  return {
    status: 200,
    body: { id: call.portal.homeCurrency, createdAt: call.sandbox.clock.now().toISOString() },
  };
}

function exchangeRates(call: Call): Reply {
  call.needScope('settings.currencies.read');
  const at = call.sandbox.clock.now().toISOString();
  const results = [...call.portal.exchangeRates].map(([code, rate], index) => ({
    id: String(index + 1),
    fromCurrencyCode: code,
    toCurrencyCode: call.portal.homeCurrency,
    conversionRate: Number(rate),
    visibleInUI: true,
    effectiveAt: at,
    createdAt: at,
    updatedAt: at,
  }));
  return { status: 200, body: { results } };
}

function customObjectTypes(call: Call): Reply {
  const limit = call.portal.edition === 'enterprise' ? MAX_CUSTOM_TYPES : 0;
  const usage = [...call.portal.tables.values()].filter((table) => table.custom?.archived === false).length;
  return { status: 200, body: { limit, usage, percentage: limit === 0 ? 100 : (100 * usage) / limit } };
}

function uninstall(call: Call): Reply {
  call.portal.installed = false;
  call.sandbox.tokens.revokePortal(call.portal.id, { accessTokensToo: true });
  return { status: 204 };
}

/** How far the zone's clock is ahead of UTC at that instant. */
export function zoneOffsetMs(timeZone: string, at: Date): number {
  const parts = new Intl.DateTimeFormat('en-US', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
  }).formatToParts(at);
  const part = (type: string) => Number(parts.find((each) => each.type === type)?.value);
  const local = Date.UTC(
    part('year'),
    part('month') - 1,
    part('day'),
    part('hour'),
    part('minute'),
    part('second'),
  );
  return local - Math.floor(at.getTime() / 1_000) * 1_000;
}

function offsetText(offsetMs: number): string {
  const minutes = Math.abs(offsetMs) / 60_000;
  const two = (value: number) => String(Math.floor(value)).padStart(2, '0');
  return `${offsetMs < 0 ? '-' : '+'}${two(minutes / 60)}:${two(minutes % 60)}`;
}
