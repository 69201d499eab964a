/**
 * A transaction-mode pooler for tests, as PgBouncer and Supavisor are on port 6543: speaks Postgres' wire protocol and
 * gives a client a server connection only until the server says that it is idle again (ReadyForQuery 'I').
 * https://www.postgresql.org/docs/17/protocol-message-formats.html
 */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

export interface TransactionPooler {
  /** Like the database's own URL, through the pooler. */
  readonly url: string;
  close(): Promise<void>;
}

/** Which of the free server connections a client gets: the one given back last, first, or any. */
export type HandOut = 'last' | 'first' | 'random';

const READY_FOR_QUERY = 'Z'.charCodeAt(0);
const TERMINATE = 'X'.charCodeAt(0);
const IDLE = 'I'.charCodeAt(0);
const SSL_REQUEST = 80877103;

interface ServerConnection {
  readonly socket: Socket;
  /** Whoever it serves at the moment. */
  client: Client | undefined;
}

interface Client {
  readonly socket: Socket;
  server: ServerConnection | undefined;
  /** Complete messages that wait for a server connection. */
  waiting: Buffer[];
}

/** Starts a pooler with `size` server connections to the database of `url`, which must ask for no password. */
export async function startTransactionPooler(
  url: string,
  { size, handOut }: { readonly size: number; readonly handOut: HandOut },
): Promise<TransactionPooler> {
  const target = new URL(url);
  const servers: ServerConnection[] = [];
  const free: ServerConnection[] = [];
  const clients = new Set<Client>();
  let greeting: Buffer = Buffer.alloc(0);
  for (let count = 0; count < size; count++) {
    const { server, messages } = await openServer(target);
    greeting = messages;
    servers.push(server);
    free.push(server);
    readMessages(server.socket, (message) => {
      server.client?.socket.write(message);
      if (message[0] !== READY_FOR_QUERY || message[5] !== IDLE || server.client === undefined) return;
      server.client.server = undefined;
      server.client = undefined;
      free.push(server);
      for (const client of clients) serve(client);
    });
  }

  /** Sends what the client wants to say, if a server connection is or becomes its own. */
  function serve(client: Client): void {
    if (client.waiting.length === 0) return;
    client.server ??= takeFree();
    if (client.server === undefined) return;
    client.server.client = client;
    for (const message of client.waiting.splice(0)) client.server.socket.write(message);
  }

  function takeFree(): ServerConnection | undefined {
    if (handOut === 'last') return free.pop();
    return free.splice(handOut === 'first' ? 0 : Math.floor(Math.random() * free.length), 1)[0];
  }

  const listener = createServer((socket) => {
    const client: Client = { socket, server: undefined, waiting: [] };
    let greeted = false;
    socket.on('error', () => undefined);
    socket.on('close', () => clients.delete(client));
    readMessages(
      socket,
      (message) => {
        if (!greeted) {
          if (message.readInt32BE(4) === SSL_REQUEST) return void socket.write('N');
          greeted = true;
          clients.add(client);
          return void socket.write(greeting);
        }
        if (message[0] === TERMINATE) return void socket.end();
        client.waiting.push(message);
        serve(client);
      },
      () => greeted,
    );
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const address = listener.address();
  const through = new URL(target);
  through.port = String(typeof address === 'object' ? address?.port : '');
  return {
    url: through.href,
    async close() {
      for (const { socket } of [...servers, ...clients]) socket.destroy();
      listener.close();
      await once(listener, 'close');
    },
  };
}

/** Opens a server connection; `messages` is the greeting that followed the start-up message. */
async function openServer(target: URL): Promise<{ server: ServerConnection; messages: Buffer }> {
  const socket = connect(Number(target.port), target.hostname);
  await once(socket, 'connect');
  const parameters = [
    'user',
    decodeURIComponent(target.username),
    'database',
    target.pathname.slice(1),
    '',
    '',
  ];
  const body = Buffer.from(parameters.join('\0'));
  const start = Buffer.alloc(8);
  start.writeInt32BE(8 + body.length, 0);
  start.writeInt32BE(196608, 4);
  socket.write(Buffer.concat([start, body]));
  const greeting: Buffer[] = [];
  await new Promise<void>((resolve) => {
    const stop = readMessages(socket, (message) => {
      greeting.push(message);
      if (message[0] !== READY_FOR_QUERY) return;
      stop();
      resolve();
    });
  });
  return { server: { socket, client: undefined }, messages: Buffer.concat(greeting) };
}

/** Cuts a socket's bytes into messages; a client's first ones have no type byte. Returns how to stop. */
function readMessages(
  socket: Socket,
  take: (message: Buffer) => void,
  typed: () => boolean = () => true,
): () => void {
  let rest = Buffer.alloc(0);
  const onData = (data: Buffer) => {
    rest = Buffer.concat([rest, data]);
    for (;;) {
      const offset = typed() ? 1 : 0;
      if (rest.length < offset + 4) return;
      const length = offset + rest.readInt32BE(offset);
      if (rest.length < length) return;
      const message = rest.subarray(0, length);
      rest = rest.subarray(length);
      take(message);
    }
  };
  socket.on('data', onData);
  return () => socket.off('data', onData);
}
