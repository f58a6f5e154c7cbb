import { HttpResponse, http, type RequestHandler } from 'msw';
import { RESET_HEADER } from './guard.ts';
import type { HubSpotSandbox } from './sandbox.ts';

/** The sandbox at HubSpot's own addresses, for clients that cannot be pointed elsewhere. */
export function sandboxHandlers(sandbox: HubSpotSandbox): RequestHandler[] {
  const answer = async ({ request }: { request: Request }) => {
    const response = await sandbox.app.fetch(request);
    return response.headers.has(RESET_HEADER) ? HttpResponse.error() : response;
  };
  return [
    http.all('https://api.hubapi.com/*', answer),
    http.all('https://app.hubspot.com/oauth/authorize', answer),
  ];
}
