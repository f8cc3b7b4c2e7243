// SPDX-License-Identifier: MIT
//
// One machine's way to the store, so that it can be cut off alone: a plain TCP
// forwarder on the loopback. Stopped (SIGSTOP) it is a network that holds what was
// sent, and delivers it later; ended, nobody listens.
//
// usage: node forward.mjs PORT TARGET-PORT

import net from 'node:net';

const [port, target] = process.argv.slice(2).map(Number);

net
  .createServer((client) => {
    const server = net.connect(target, '127.0.0.1');
    const end = () => {
      client.destroy();
      server.destroy();
    };
    client.pipe(server);
    server.pipe(client);
    for (const socket of [client, server]) {
      socket.on('error', end).on('close', end);
    }
  })
  .listen(port, '127.0.0.1');
