/** A TCP relay that lets a test decide what passes. */
export interface Relay extends Disposable {
  readonly url: string;
  /** Are answers thrown away? What is asked arrives, and nothing comes back. */
  isMute: boolean;
  /** From now on what is asked on the connections of now stays in the net, even when who asked it has gone. */
  hold(): void;
  /** Lets it arrive. */
  release(): void;
}

interface Ends {
  server: Bun.Socket | undefined;
  isHeld: boolean;
  kept: Uint8Array[];
}

/** @param port of the Redis behind it, on the loopback */
export function createRelay(port: number): Relay {
  const open = new Set<Ends>();
  const pass = (ends: Ends): void => {
    if (ends.server === undefined || ends.isHeld) return;
    for (const bytes of ends.kept.splice(0)) ends.server.write(bytes);
  };
  const listener = Bun.listen<Ends>({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open(client) {
        const ends: Ends = { server: undefined, isHeld: false, kept: [] };
        client.data = ends;
        open.add(ends);
        void Bun.connect({
          ...{ hostname: "127.0.0.1", port },
          socket: {
            open(server) {
              ends.server = server;
              pass(ends);
            },
            data(_, bytes) {
              if (!relay.isMute) client.write(bytes);
            },
            close() {
              open.delete(ends);
              client.end();
            },
            error: () => undefined,
          },
        });
      },
      data({ data }, bytes) {
        data.kept.push(new Uint8Array(bytes));
        pass(data);
      },
      close({ data }) {
        if (!data.isHeld) data.server?.end();
      },
      error: () => undefined,
    },
  });
  const relay: Relay = {
    url: `redis://127.0.0.1:${listener.port}`,
    isMute: false,
    hold() {
      for (const ends of open) ends.isHeld = true;
    },
    release() {
      for (const ends of open) {
        ends.isHeld = false;
        pass(ends);
      }
    },
    [Symbol.dispose]() {
      for (const { server } of open) server?.end();
      listener.stop(true);
    },
  };
  return relay;
}
