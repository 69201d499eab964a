/** One way as an HTTP server in a process of its own: `node main.ts <way> <database url>` prints its port. */
import { startServer } from '@floyo/billing-webhook/server';

import { openWay, WAYS } from './ways.ts';

const way = WAYS.find((name) => name === process.argv[2]);
const url = process.argv[3];
if (way === undefined || url === undefined) throw new Error('Usage: main.ts <way> <database url>');
const opened = openWay(way, url);
const server = await startServer(opened.handle, 0);
process.stdout.write(`${String(server.port)}\n`);
process.once('SIGTERM', () => {
  void server.close().then(() => opened.close());
});
