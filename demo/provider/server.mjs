// An OpenID provider for tests, on a port of the loopback interface that the system chooses.
//
// It prints `{"issuer":"…"}` when it is ready. Then it does what it reads, line by line, and prints the
// names of the keys that are published, and how often it was asked what a token is:
//
//   rotate   new keys sign; the old ones are still published
//   retire   the old ones no longer are
//   away     nobody is there until it is `back`: connections are refused
//   slow     it takes a second and a half to say what a token is, until it is `quick`
//   asked    nothing; the answer counts the questions what a token is since the last one
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

let asked = 0;
let delay = 0;

const server = createServer(async (request, response) => {
  if (request.url.startsWith('/token/introspection')) {
    asked += 1;
    await new Promise((resolve) => setTimeout(resolve, delay));
  }
  const handled = request.url.startsWith('/interaction/')
    ? approve(provider, request, response)
    : provider.callback()(request, response);
  Promise.resolve(handled).catch((error) => {
    console.error(error);
    response.writeHead(500).end();
  });
});
await listen(0);
const { port } = server.address();
const issuer = `http://127.0.0.1:${port}`;
let provider = start();
console.log(JSON.stringify({ issuer }));

const commands = {
  rotate: () => keys.rotate(),
  retire: () => keys.retire(),
  away: () => {
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    return closed;
  },
  back: () => listen(port),
  slow: () => { delay = 1500; },
  quick: () => { delay = 0; },
  asked: () => {},
};
for await (const command of createInterface({ input: process.stdin })) {
  if (!Object.hasOwn(commands, command)) throw new Error(`unknown command: ${command}`);
  await commands[command]();
  if (command === 'rotate' || command === 'retire') provider = start();
  console.log(JSON.stringify({ keys: keys.open.keys.map((key) => key.kid), asked }));
  if (command === 'asked') asked = 0;
}
process.exit();

function listen(where) {
  return new Promise((resolve) => server.listen(where, '127.0.0.1', resolve));
}

function start() {
  const started = create(issuer, keys);
  started.on('server_error', (ctx, error) => console.error(error));
  return started;
}
