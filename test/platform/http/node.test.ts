import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { Hono } from 'hono';
import { expect, test } from 'vitest';
import { systemClock } from '../../../src/platform/clock.ts';
import { createHttpApp } from '../../../src/platform/http/app.ts';
import { serveHttp } from '../../../src/platform/http/node.ts';
import { memoryLog } from '../../../src/platform/log.ts';

const where = { port: 0, host: '127.0.0.1' };

test('closing lets a running request end, takes no new one, and is not held up by a kept connection', async () => {
  const arrived = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  const app = new Hono().get('/slow', async (context) => {
    arrived.resolve();
    await goOn.promise;
    return context.text('done');
  });
  const server = await serveHttp(app, where);
  const agent = new http.Agent({ keepAlive: true });
  const answer = get(server.port, '/slow', agent);
  await arrived.promise;
  const closed = server.close(60_000);
  await expect(get(server.port, '/slow')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  goOn.resolve();
  expect(await answer).toBe('done');
  await closed;
  agent.destroy();
});

test('what does not end within the grace is cut', async () => {
  const arrived = Promise.withResolvers<void>();
  const app = new Hono().get('/never', () => {
    arrived.resolve();
    return new Promise<Response>(() => {});
  });
  const server = await serveHttp(app, where);
  const answer = get(server.port, '/never').catch((error: NodeJS.ErrnoException) => error.code);
  await arrived.promise;
  await server.close(1);
  expect(await answer).toBe('ECONNRESET');
});

test('a port that is taken is an error of the start', async () => {
  const server = await serveHttp(new Hono(), where);
  await expect(serveHttp(new Hono(), { ...where, port: server.port })).rejects.toMatchObject({
    code: 'EADDRINUSE',
  });
  await server.close();
});

test('an endless body without a length is answered 413 while it still comes', async () => {
  const app = createHttpApp({
    log: memoryLog(),
    clock: systemClock,
    metrics: null,
    metricsToken: null,
    readiness: [],
    maxBodyBytes: 1000,
  });
  app.post('/', async (context) => context.text(await context.req.text()));
  const server = await serveHttp(app, where);
  const socket = net.connect(server.port, '127.0.0.1');
  await once(socket, 'connect');
  socket.write('POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n');
  const chunk = `400\r\n${'x'.repeat(0x400)}\r\n`;
  socket.write(chunk + chunk);
  const [data] = (await once(socket, 'data')) as [Buffer];
  expect(data.toString()).toMatch(/^HTTP\/1\.1 413 /);
  socket.destroy();
  await server.close(1);
});

function get(port: number, path: string, agent?: http.Agent): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = http.get(
      { port, path, host: '127.0.0.1', ...(agent ? { agent } : {}) },
      async (response) => {
        let body = '';
        for await (const part of response) body += part;
        resolve(body);
      },
    );
    request.on('error', reject);
  });
}
