import { Misconfigured } from '../src/platform/errors.ts';
import type { EdgeSource, OAuthProvider, Provider } from './connector.ts';
import { createHubSpotEdge, type Sha256Hex } from './hubspot/edge.ts';
import { createHubSpotOAuth } from './hubspot/oauth.ts';

/** Where each provider lives, as configured; `appId` is our app there, `sha256Hex` the platform's own quick hash. */
export interface EdgeSettings {
  readonly hubspot: {
    readonly apiUrl: string;
    readonly appUrl: string;
    readonly appId?: string;
    readonly sha256Hex?: Sha256Hex;
  };
}

/** Webhooks and cards of a provider. No SDK in this import graph: it runs on Workers too. */
export function edgeSourceFor(provider: Provider, settings: EdgeSettings): EdgeSource {
  if (provider === 'hubspot') return createHubSpotEdge(settings.hubspot);
  throw new Misconfigured(`This build takes no webhooks from ${provider}.`);
}

/** The OAuth door of a provider; fetch only. */
export function oauthProviderFor(provider: Provider, settings: EdgeSettings): OAuthProvider {
  if (provider === 'hubspot') return createHubSpotOAuth(settings.hubspot);
  throw new Misconfigured(`This build cannot install ${provider}.`);
}
