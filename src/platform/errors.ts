/**
 * The only errors that cross the connector line. Each says who moves next.
 * Anything else that is thrown is a bug of ours.
 */

/** The queue moves next: try again after `afterMs` milliseconds. */
export class RetryLater extends Error {
  override readonly name = 'RetryLater';
  readonly afterMs: number;
  constructor(message: string, afterMs: number, options?: ErrorOptions) {
    super(message, options);
    this.afterMs = afterMs;
  }
}

/** The customer's admin moves next: the grant is gone, somebody must connect the CRM again. */
export class ReconnectNeeded extends Error {
  override readonly name = 'ReconnectNeeded';
}

/** A person moves next, in the console: the CRM refused this for good; `message` is in plain words. */
export class Rejected extends Error {
  override readonly name = 'Rejected';
  /** Stable machine word, e.g. `missing_scope`, `portal_configuration`, `validation`. */
  readonly reason: string;
  constructor(reason: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

/** Our own operator moves next: our app's settings are wrong (client secret, redirect URL …). Never disconnects anybody. */
export class Misconfigured extends Error {
  override readonly name = 'Misconfigured';
}
