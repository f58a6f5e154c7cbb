import type http from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';

export interface HttpServer {
  readonly port: number;
  /** Takes no new connection, lets running requests end for at most `graceMs`, then cuts what is left. */
  close(graceMs?: number): Promise<void>;
}

/**
 * Serves an app on Node. Port 0 takes a free one.
 * @throws when the address cannot be listened on (`EADDRINUSE`, `EACCES`).
 */
export async function serveHttp(
  app: { fetch(request: Request): Response | Promise<Response> },
  { port, host }: { readonly port: number; readonly host: string },
): Promise<HttpServer> {
  const server = createAdaptorServer({ fetch: (request) => app.fetch(request) }) as http.Server;
  server.requestTimeout = 30_000;
  server.headersTimeout = 10_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  server.on('request', (_, response: http.ServerResponse) => {
    response.once('close', () => {
      if (!server.listening) setImmediate(() => server.closeIdleConnections());
    });
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: (graceMs = 10_000) => closeServer(server, graceMs),
  };
}

/** A connection that was busy becomes idle when its answer is out; kept alive by the client it would hold us up. */
function closeServer(server: http.Server, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const cut = setTimeout(() => server.closeAllConnections(), graceMs);
    server.close(() => {
      clearTimeout(cut);
      resolve();
    });
    server.closeIdleConnections();
  });
}
