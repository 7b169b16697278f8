/** The endpoint that the hub asks about its clients: it knows everybody but the stranger. */
export function startAuthServer(): { readonly url: string; stop(): Promise<void> } {
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request) {
      const isStranger = request.headers.get("cookie") === STRANGER;
      // Connections that are kept would count as the hub's own sockets when it is compared with its beginning.
      return new Response(null, { status: isStranger ? 401 : 204, headers: { connection: "close" } });
    },
  });
  return { url: `http://127.0.0.1:${server.port}/auth`, stop: () => server.stop(true) };
}

export const STRANGER = "session=stranger";
