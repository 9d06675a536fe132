import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { startTcpProxy } from './tcp-proxy.ts';

async function proxyToEcho() {
  const echo = createServer((socket) => socket.on('error', () => undefined).pipe(socket)).listen(
    0,
    '127.0.0.1',
  );
  await once(echo, 'listening');
  const proxy = await startTcpProxy({ port: (echo.address() as AddressInfo).port });
  onTestFinished(async () => {
    await proxy.close();
    echo.close();
  });
  const client = connect(proxy.port, '127.0.0.1').on('error', () => undefined);
  await once(client, 'connect');
  return { proxy, client };
}

it('passes bytes on in both directions', async () => {
  const { client } = await proxyToEcho();
  client.write('hello');
  expect(String((await once(client, 'data'))[0])).toBe('hello');
});

it('cuts open connections', async () => {
  const { proxy, client } = await proxyToEcho();
  client.write('hello');
  await once(client, 'data');
  proxy.cut();
  await once(client, 'close');
});

it('holds bytes back while stalled and passes them on after mend()', async () => {
  const { proxy, client } = await proxyToEcho();
  client.write('1');
  await once(client, 'data');
  proxy.stall();
  client.write('2');
  const answer = once(client, 'data');
  expect(await Promise.race([answer, delay(200, 'nothing')])).toBe('nothing');
  proxy.mend();
  expect(String((await answer)[0])).toBe('2');
});
