import type { Portal } from './state.ts';

const escapeHtml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

const page = (title: string, body: string): string =>
  `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${escapeHtml(title)}</title></head><body>${body}</body></html>`;

/** The page on which a person lets the app into an account: a plain form that posts back to itself. */
export function consentPage(spec: {
  readonly appName: string;
  readonly required: readonly string[];
  readonly optional: readonly string[];
  readonly portals: readonly Pick<Portal, 'id' | 'name'>[];
  readonly hidden: Readonly<Record<string, string>>;
}): string {
  const item = (scope: string) => `<li><code>${escapeHtml(scope)}</code></li>`;
  const hidden = Object.entries(spec.hidden).map(
    ([name, value]) => `<input type="hidden" name="${escapeHtml(name)}" value="${escapeHtml(value)}">`,
  );
  const portals = spec.portals.map(
    (portal, index) =>
      `<label><input type="radio" name="portalId" value="${portal.id}"${index === 0 ? ' checked' : ''}> ${escapeHtml(portal.name)} (${portal.id})</label><br>`,
  );
  return page(
    `Connect ${spec.appName}`,
    `<main><h1>Connect ${escapeHtml(spec.appName)} to HubSpot</h1><p>This is a local sandbox of HubSpot.</p>
<form method="post" action="/oauth/authorize">${hidden.join('')}
<fieldset><legend>Account</legend>${portals.join('')}</fieldset>
<h2>This app may</h2><ul>${spec.required.map(item).join('')}</ul>
<h2>Optional</h2><ul>${spec.optional.map(item).join('')}</ul>
<button type="submit" name="decision" value="approve">Approve</button>
<button type="submit" name="decision" value="deny">Deny</button></form></main>`,
  );
}

export const errorPage = (problem: string): string =>
  page('Error', `<main><h1>We couldn’t connect the app</h1><p>${escapeHtml(problem)}</p></main>`);

/** What a deep link into the CRM opens: one record with its values. */
export function recordPage(spec: {
  readonly title: string;
  readonly values: Readonly<Record<string, string | null>>;
}): string {
  const rows = Object.entries(spec.values)
    .filter((entry): entry is [string, string] => entry[1] !== null)
    .map(([name, value]) => `<tr><th>${escapeHtml(name)}</th><td>${escapeHtml(value)}</td></tr>`);
  return page(spec.title, `<main><h1>${escapeHtml(spec.title)}</h1><table>${rows.join('')}</table></main>`);
}
