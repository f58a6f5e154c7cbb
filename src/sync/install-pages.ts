import { html } from 'hono/html';
import type { Provider } from '../../connectors/connector.ts';
import type { InstallResult } from './install.ts';

const NAMES: Readonly<Record<Provider, string>> = {
  hubspot: 'HubSpot',
  salesforce: 'Salesforce',
  pipedrive: 'Pipedrive',
};

/** A whole page: plain HTML, no script, readable without its style. `nonce` lets its one style through the CSP. */
export interface InstallPage {
  readonly status: 200 | 400 | 403 | 404 | 502 | 503;
  readonly title: string;
  readonly body: ReturnType<typeof html>;
}

export function renderPage(page: InstallPage, nonce: string) {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${page.title} · Tributary</title>
<style nonce="${nonce}">
:root { color-scheme: light dark; }
body { font: 1rem/1.6 system-ui, sans-serif; margin: 0; }
main { max-width: 36rem; margin: 10vh auto; padding: 0 1.5rem; }
h1 { font-size: 1.6rem; line-height: 1.25; text-wrap: balance; }
button { font: inherit; font-weight: 600; padding: .7rem 1.4rem; border: 0; border-radius: .5rem; background: #14532d; color: #fff; cursor: pointer; }
button:hover { background: #166534; }
button:focus-visible { outline: 3px solid #2563eb; outline-offset: 2px; }
small { opacity: .8; }
code { overflow-wrap: anywhere; }
</style>
</head>
<body><main><h1>${page.title}</h1>${page.body}</main></body>
</html>`;
}

/** Shown for a link that is still good. Only its button uses the link up: previews and scanners fetch, they do not press. */
export function askPage(link: {
  readonly organizationName: string;
  readonly provider: Provider;
}): InstallPage {
  const crm = NAMES[link.provider];
  return {
    status: 200,
    title: `Connect ${crm} to Tributary`,
    body: html`
<p>This connects a ${crm} account to <strong>${link.organizationName}</strong> at Tributary, which shows which partner earned how much of every deal. If you do not know ${link.organizationName}, close this page.</p>
<h2>What Tributary reads</h2>
<ul>
<li>deals, companies and how they belong together</li>
<li>people: their e-mail address and their company</li>
<li>meetings, calls, e-mails, notes and tasks: that they happened, when and with whom; never what was said or written</li>
</ul>
<h2>What Tributary writes</h2>
<p>Each partner’s share of a deal, in fields or records of its own. Nothing that others keep is changed.</p>
<form method="post"><button type="submit">Continue to ${crm}</button></form>
<p><small>You choose the account there and can refuse. This link works once.</small></p>`,
  };
}

export const deadLinkPage = (): InstallPage => ({
  status: 404,
  title: 'This link does not work',
  body: html`<p>It was used already, is too old, or is not complete. Ask whoever sent it for a new one.</p>`,
});

export const foreignFormPage = (): InstallPage => ({
  status: 403,
  title: 'Open the link itself',
  body: html`<p>Another site sent you here. Open the link that you were given and press the button there.</p>`,
});

/** What became of the round trip, and what to do now. The request id leads an operator to the log line. */
export function resultPage(result: InstallResult, provider: Provider, requestId: string): InstallPage {
  const crm = NAMES[provider];
  const again = html`<p>Nothing was stored. To try again, ask for a new install link.</p>
<p><small>Request id: <code>${requestId}</code></small></p>`;
  switch (result.status) {
    case 'connected':
      return {
        status: 200,
        title: 'Connected, reading started',
        body: html`<p>${crm} account <strong>${result.accountExternalId}</strong> is ${result.again ? 'connected again' : 'connected'} to <strong>${result.organizationName}</strong>. Tributary is reading deals and activities now; credits appear when everything has been read once.</p>
<p>You can close this page.</p>`,
      };
    case 'refused':
      return {
        status: 400,
        title: 'This installation cannot be finished here',
        body: html`<p>It was finished already, took longer than ten minutes, or was begun in another browser. Begin and finish in the same browser, with cookies allowed.</p>${again}`,
      };
    case 'declined':
      return {
        status: 400,
        title: `${crm} was not connected`,
        body: html`<p>The permission was refused in ${crm}. If that was not you: installing apps needs the right to do so, for HubSpot a Super Admin or App Marketplace Access.</p>${again}`,
      };
    case 'code-spent':
      return {
        status: 400,
        title: `${crm} was not connected`,
        body: html`<p>${crm} says that this installation attempt is used up or too old.</p>${again}`,
      };
    case 'scopes-missing':
      return {
        status: 400,
        title: 'Some permissions are missing',
        body: html`<p>Tributary cannot work without these permissions, which ${crm} did not give:</p>
<ul>${result.missing.map((scope) => html`<li><code>${scope}</code></li>`)}</ul>
<p>Install with a user who has them, or ask an administrator of the ${crm} account.</p>${again}`,
      };
    case 'later':
      return {
        status: 503,
        title: `${crm} does not answer`,
        body: html`<p>${crm} could not be reached just now. Try again in a few minutes.</p>${again}`,
      };
    case 'our-fault':
      return {
        status: 502,
        title: 'Our app is not set up right',
        body: html`<p>${crm} refuses Tributary’s app. This is not your fault; tell the operator of this Tributary the request id.</p>${again}`,
      };
  }
}
