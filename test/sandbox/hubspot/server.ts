import type { AddressInfo } from 'node:net';
import { type HttpBindings, serve } from '@hono/node-server';
import { Hono } from 'hono';
import { z } from 'zod';
import { RESET_HEADER } from './guard.ts';
import type { SandboxOptions } from './options.ts';
import { createHubSpotSandbox, type HubSpotSandbox } from './sandbox.ts';

export interface SandboxServer {
  readonly sandbox: HubSpotSandbox;
  /** `http://127.0.0.1:4010` */
  readonly url: string;
  close(): Promise<void>;
}

/**
 * Serves a sandbox on the loopback interface and delivers its webhooks by itself.
 * @param options `port` 0 = any free one; `sandbox` = one made before, else the options make it
 */
export async function startSandboxServer(
  options: { readonly port: number } & (SandboxOptions | { readonly sandbox: HubSpotSandbox }),
): Promise<SandboxServer> {
  const sandbox = 'sandbox' in options ? options.sandbox : createHubSpotSandbox(options);
  const remote = createRemoteControl(sandbox);
  const stopDelivery = sandbox.webhooks.start();
  const fetch = async (request: Request, env: HttpBindings): Promise<Response> => {
    if (new URL(request.url).pathname.startsWith('/_sandbox/')) return remote.fetch(request);
    const response = await sandbox.app.fetch(request);
    if (response.headers.has(RESET_HEADER)) env.incoming.socket.destroy();
    return response;
  };
  const server = await new Promise<ReturnType<typeof serve>>((resolve, reject) => {
    const started = serve({ fetch: fetch as never, port: options.port, hostname: '127.0.0.1' }, () =>
      resolve(started),
    );
    started.on('error', reject);
  });
  const { port } = server.address() as AddressInfo;
  return {
    sandbox,
    url: `http://127.0.0.1:${port}`,
    async close() {
      await stopDelivery();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        if ('closeAllConnections' in server) server.closeAllConnections();
      });
    },
  };
}

const Action = z.object({ name: z.string(), args: z.array(z.unknown()) });

/** What another process may see and do: the log, the tables, a person's actions, the webhook queue. */
function createRemoteControl(sandbox: HubSpotSandbox): Hono {
  const app = new Hono();
  app.get('/_sandbox/log', (context) =>
    context.json({ calls: sandbox.log.calls, summary: sandbox.log.summary() }),
  );
  app.delete('/_sandbox/log', (context) => {
    sandbox.log.reset();
    return context.body(null, 204);
  });
  app.get('/_sandbox/portals', (context) =>
    context.json(
      [...sandbox.portals.values()].map(({ id, name, edition, installed }) => ({
        id,
        name,
        edition,
        installed,
      })),
    ),
  );
  app.get('/_sandbox/tables/:portalId/:type', (context) => {
    const portal = sandbox.portals.get(Number(context.req.param('portalId')));
    const wanted = context.req.param('type');
    const table = [...(portal?.tables.values() ?? [])].find(
      (each) => each.typeId === wanted || each.name === wanted,
    );
    if (table === undefined) return context.json({ message: `no table ${wanted}` }, 404);
    return context.json(
      [...table.rows.values()].map(({ id, values, archivedAtMs, mergedInto }) => ({
        id,
        values,
        archivedAtMs,
        mergedInto,
      })),
    );
  });
  app.get('/_sandbox/deliveries', (context) => context.json(sandbox.webhooks.deliveries));
  app.post('/_sandbox/flush', async (context) => context.json(await sandbox.flushWebhooks()));
  app.post('/_sandbox/actions', async (context) => {
    const parsed = Action.safeParse(await context.req.json().catch(() => null));
    const actions = sandbox.control as unknown as Readonly<Record<string, (...args: unknown[]) => unknown>>;
    const action = parsed.success ? actions[parsed.data.name] : undefined;
    if (!parsed.success || action === undefined) {
      return context.json({ message: `one of ${Object.keys(actions).join(', ')} with its arguments` }, 400);
    }
    try {
      return context.json({ result: action(...parsed.data.args) ?? null });
    } catch (error) {
      return context.json({ message: error instanceof Error ? error.message : String(error) }, 400);
    }
  });
  return app;
}
