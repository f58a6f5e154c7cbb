import type { Clock } from '../../../src/platform/clock.ts';
import type { CallLog } from './call-log.ts';
import type { RateLimits } from './limits.ts';
import type { PlannedFailure } from './mishaps.ts';
import type { TokenStore } from './oauth-tokens.ts';
import type { Knobs, SandboxOptions, Subscription } from './options.ts';
import type { Random } from './random.ts';
import type { Portal } from './state.ts';
import type { WebhookQueue } from './webhooks.ts';

/** Everything one sandbox holds; passed to every handler. */
export interface HubSpotSandboxState {
  readonly clock: Clock;
  nowMs(): number;
  readonly random: Random;
  readonly knobs: Knobs;
  readonly appId: number;
  readonly appName: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly redirectUrls: readonly string[];
  readonly requiredScopes: readonly string[];
  readonly optionalScopes: readonly string[];
  readonly webhookOptions: SandboxOptions['webhooks'] | undefined;
  readonly subscriptions: Subscription[];
  readonly portals: Map<number, Portal>;
  readonly tokens: TokenStore;
  readonly limits: RateLimits;
  readonly log: CallLog;
  readonly webhooks: WebhookQueue;
  /** Mishaps ordered by a test, used up before chance is asked. */
  readonly planned: PlannedFailure[];
}
