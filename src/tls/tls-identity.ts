import { statSync } from "node:fs";
import type { SecureContextOptions } from "node:tls";
import type { Logger } from "pino";
import { StartError } from "../domain/start-error.ts";
import type { TlsFiles, TlsMaterial } from "./tls-files.ts";
import { readTlsMaterial } from "./tls-files.ts";

/** What a server shows its peers: one certificate for all ports, another one when the files change. */
export interface TlsIdentity {
  /** Whether every peer needs a certificate of its own. Does not change. */
  readonly isClientCertificateRequired: boolean;
  /** Calls back at once, and again whenever the files hold something else that is sound. Returns how to stop that. */
  subscribe(listener: (context: SecureContextOptions) => void): () => void;
}

/** An identity that looks at its files. */
export interface WatchedTlsIdentity extends TlsIdentity {
  /** Reads the files now, changed or not, and logs what is served. Never throws. */
  reload(): void;
  /** Looks no more. */
  stop(): void;
}

export interface TlsIdentityOptions {
  readonly files: TlsFiles;
  readonly logger: Logger;
  /** How often to look whether the files changed. Default 2 s. */
  readonly pollMs?: number;
}

/**
 * Reads the files, and looks at them from then on, by path: a link that points elsewhere is a change too. What is not
 * sound is logged and refused as a whole; what was served before is served on. Throws StartError when it is the first.
 */
export function watchTlsIdentity({ files, logger, pollMs = 2000 }: TlsIdentityOptions): WatchedTlsIdentity {
  const paths = [files.cert, files.key, files.ca].flatMap((file) => file?.path ?? []);
  const listeners = new Set<(context: SecureContextOptions) => void>();
  // Before they are read: what is written in between is then seen as a change.
  let lastLook = paths.map(lookAt).join();
  let served = readTlsMaterial(files);
  tell(served, logger);

  function reload(): void {
    lastLook = paths.map(lookAt).join();
    const material = tryRead();
    if (material === undefined) return;
    const isNew = !isSame(material, served);
    served = material;
    tell(material, logger);
    if (isNew) for (const listener of listeners) listener(material.context);
  }

  function tryRead(): TlsMaterial | undefined {
    try {
      return readTlsMaterial(files);
    } catch (error) {
      if (!(error instanceof StartError)) throw error;
      const faults = error.message.split("\n");
      logger.error({ faults }, "the TLS files are of no use now; what they held before is served on");
      return undefined;
    }
  }

  const timer = setInterval(() => {
    if (paths.map(lookAt).join() !== lastLook) reload();
  }, pollMs);
  timer.unref();

  return {
    isClientCertificateRequired: files.ca !== undefined,
    subscribe(listener) {
      listeners.add(listener);
      listener(served.context);
      return () => listeners.delete(listener);
    },
    reload,
    stop: () => clearInterval(timer),
  };
}

/** What changes with a file's content, or with what its path leads to. */
function lookAt(path: string): string {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true });
    return [dev, ino, size, mtimeNs, ctimeNs].join(":");
  } catch {
    return "unreadable";
  }
}

function isSame({ context: a }: TlsMaterial, { context: b }: TlsMaterial): boolean {
  return a.cert === b.cert && a.key === b.key && a.ca === b.ca;
}

function tell({ certificate, warnings }: TlsMaterial, logger: Logger): void {
  const { subject, subjectAltName, validTo, fingerprint256 } = certificate;
  const fields = { subject: subject?.replaceAll("\n", ", "), subjectAltName, validTo, fingerprint256 };
  logger.info(fields, "serving TLS with this certificate");
  for (const warning of warnings) logger.warn(warning);
}
