import type { Server } from "node:net";
import { StartError } from "./domain/start-error.ts";

/** Where a server is to listen. */
export interface PortOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** The variable that sets the port. */
  readonly variable: string;
}

/**
 * Makes a server listen, and returns its port. Throws StartError, which names the variable, when it cannot be had. Later
 * errors of the server are its owner's, who has to listen for them.
 */
export async function bindPort(server: Server, { host, port, variable }: PortOptions): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException) => {
      const place = `${host}:${port}`;
      const isAboutHost = ["EADDRNOTAVAIL", "ENOTFOUND", "EAI_AGAIN", "EINVAL"].includes(error.code ?? "");
      const text =
        error.code === "EADDRINUSE"
          ? `port ${place} is in use: stop what listens there, or set ${variable}`
          : `cannot listen on ${place} (${isAboutHost ? "SLUICE_HOST" : variable}): ${error.message}`;
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
