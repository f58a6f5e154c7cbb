import { Misconfigured } from '../src/platform/errors.ts';
import type { Connector, ConnectorContext, Provider } from './connector.ts';
import { createHubSpotConnector } from './hubspot/connector.ts';

/** The connector of a provider, for the worker: these import the vendors' SDKs. */
export function connectorFor(provider: Provider): (ctx: ConnectorContext) => Connector {
  if (provider === 'hubspot') return createHubSpotConnector;
  throw new Misconfigured(`This build has no connector for ${provider}.`);
}
