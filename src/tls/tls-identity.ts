import type { SecureContextOptions } from "node:tls";
import type { Logger } from "pino";
import { StartError } from "../domain/start-error.ts";
import { createFilePoll } from "../files/poll-files.ts";
import { createRefusalLog } from "./refusal-log.ts";
import type { TlsFiles, TlsMaterial } from "./tls-files.ts";
import { readTlsMaterial } from "./tls-files.ts";

/** What a server shows its peers: one certificate for all ports, another one when the files change. */
export interface TlsIdentity {
  /** Whether every peer needs a certificate of its own. Does not change. */
  readonly isClientCertificateRequired: boolean;
  /** Calls back at once, and again whenever the files hold something else that is sound. Returns how to stop that. */
  subscribe(listener: (context: SecureContextOptions) => void): () => void;
  /** Told of each handshake that failed, by a code, so that the operator learns of it. */
  onRefusal(code: string): void;
}

/** An identity that looks at its files. */
export interface WatchedTlsIdentity extends TlsIdentity {
  /** The DNS names of the certificate that is served, without those that stand for many. */
  dnsNames(): readonly string[];
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
export function watchTlsIdentity({ files, logger, pollMs }: TlsIdentityOptions): WatchedTlsIdentity {
  const poll = createFilePoll([files.cert, files.key, files.ca].flatMap((file) => file?.path ?? []));
  const listeners = new Set<(context: SecureContextOptions) => void>();
  const refusals = createRefusalLog(logger);
  let served = readTlsMaterial(files);
  let isRefused = false;
  tell(served, logger);

  function read(isAskedFor: boolean): void {
    poll.markRead();
    try {
      const material = readTlsMaterial(files);
      const isNew = !isSame(material, served);
      if (isAskedFor || isNew || isRefused) tell(material, logger);
      served = material;
      isRefused = false;
      if (isNew) for (const listener of listeners) listener(material.context);
    } catch (error) {
      isRefused = true;
      refuse(error);
    }
  }

  function refuse(error: unknown): void {
    const fields = error instanceof StartError ? { faults: error.message.split("\n") } : { err: error };
    logger.error(fields, "the TLS files are of no use now; what they held before is served on");
  }

  poll.start(() => read(false), pollMs);
  return {
    isClientCertificateRequired: files.ca !== undefined,
    dnsNames: () => dnsNamesOf(served),
    subscribe(listener) {
      listeners.add(listener);
      listener(served.context);
      return () => listeners.delete(listener);
    },
    reload: () => read(true),
    onRefusal: refusals.count,
    stop() {
      poll.stop();
      refusals.stop();
    },
  };
}

function dnsNamesOf({ certificate: { subjectAltName = "" } }: TlsMaterial): string[] {
  return [...subjectAltName.matchAll(/(?<=^|, )DNS:([\w.-]+)(?=,|$)/g)].map(([, name = ""]) => name);
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
