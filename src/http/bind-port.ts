import type { Server } from "node:net";
import { StartError } from "../domain/start-error.ts";

/** Makes a server listen, and returns its port. Throws StartError, which names the variable, when it cannot be had. */
export async function bindPort(server: Server, { host, port }: { host: string; port: number }): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException) => {
      const place = `${host}:${port}`;
      const text =
        error.code === "EADDRINUSE"
          ? `port ${place} is in use: stop what listens there, or set SLUICE_HTTP_PORT`
          : `cannot listen on ${place} (SLUICE_HTTP_PORT): ${error.message}`;
      reject(new StartError(text));
    };
    server.once("error", fail);
    server.listen(port, host, () => {
      server.off("error", fail);
      resolve();
    });
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("a TCP listener has an address and a port");
  return address.port;
}
