// An OpenID provider for tests, on a port of the loopback interface that the system chooses.
//
// It prints `{"issuer":"…"}` when it is ready. Then it does what it reads, line by line, and prints the
// names of the keys that are published:
//
//   rotate   new keys sign; the old ones are still published
//   retire   the old ones no longer are
//
// It ends with its input, so that it does not outlive whoever started it.

import { createServer } from 'node:http';
import { createInterface } from 'node:readline';

import { Keys } from './keys.mjs';

// What oidc-provider says about set-ups that are not for production is known here, and its import says some.
console.info = () => {};
console.warn = () => {};
const { approve, create } = await import('./provider.mjs');

const keys = new Keys();
await keys.rotate();

const server = createServer((request, response) => {
  const handled = request.url.startsWith('/interaction/')
    ? approve(provider, request, response)
    : provider.callback()(request, response);
  Promise.resolve(handled).catch((error) => {
    console.error(error);
    response.writeHead(500).end();
  });
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const issuer = `http://127.0.0.1:${server.address().port}`;
let provider = start();
console.log(JSON.stringify({ issuer }));

for await (const command of createInterface({ input: process.stdin })) {
  if (command === 'rotate') await keys.rotate();
  else if (command === 'retire') keys.retire();
  else throw new Error(`unknown command: ${command}`);
  provider = start();
  console.log(JSON.stringify({ keys: keys.open.keys.map((key) => key.kid) }));
}
process.exit();

function start() {
  const started = create(issuer, keys);
  started.on('server_error', (ctx, error) => console.error(error));
  return started;
}
