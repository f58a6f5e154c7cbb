import { Misconfigured } from '../src/platform/errors.ts';
import type { Connector, ConnectorContext, Provider } from './connector.ts';
import { createHubSpotConnector } from './hubspot/connector.ts';

export interface ConnectorSettings {
  /** API version of writing calls where an account's own validation refuses the current one. */
  readonly hubspot: { readonly writeVersion?: string };
}

/** The connector of a provider, for the worker: these import the vendors' SDKs. */
export function connectorFor(
  provider: Provider,
  settings: ConnectorSettings,
): (ctx: ConnectorContext) => Connector {
  if (provider === 'hubspot') return (ctx) => createHubSpotConnector(ctx, settings.hubspot);
  throw new Misconfigured(`This build has no connector for ${provider}.`);
}
