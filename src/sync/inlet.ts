import type { EdgeSource, RawRequest } from '../../connectors/connector.ts';

/** A provider's way in: who understands its requests, and the secrets they may be signed with. */
export interface Inlet {
  readonly source: EdgeSource;
  /** Several while one is being rotated. */
  readonly secrets: readonly string[];
}

/** The request as its sender signed it: on our configured public URL, path and query undecoded. */
export async function toRawRequest(request: Request, publicUrl: string): Promise<RawRequest> {
  const asked = new URL(request.url);
  return {
    method: request.method,
    url: publicUrl + request.url.slice(asked.origin.length),
    headers: Object.fromEntries(request.headers),
    body: request.method === 'GET' ? '' : await request.text(),
  };
}
