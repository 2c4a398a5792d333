import type { SecureContextOptions } from "node:tls";
import type { TlsIdentity } from "../../src/tls/tls-identity.ts";
import type { Certificate, TestCa } from "./certificates.ts";

/** An identity without files. */
export interface FakeTlsIdentity extends TlsIdentity {
  /** Shows another certificate from now on. */
  renew(certificate: Certificate): void;
  /** The codes of the handshakes that failed. */
  readonly refusals: readonly string[];
}

/** Shows a certificate, and with a CA asks for one of its own. */
export function createFakeTlsIdentity(certificate: Certificate, clientCa?: TestCa): FakeTlsIdentity {
  const listeners = new Set<(context: SecureContextOptions) => void>();
  const refusals: string[] = [];
  let context = contextOf(certificate);
  function contextOf({ cert, key }: Certificate): SecureContextOptions {
    return { cert, key, minVersion: "TLSv1.2", ...(clientCa && { ca: clientCa.cert }) };
  }
  return {
    isClientCertificateRequired: clientCa !== undefined,
    subscribe(listener) {
      listeners.add(listener);
      listener(context);
      return () => listeners.delete(listener);
    },
    refusals,
    onRefusal: (code) => void refusals.push(code),
    renew(next) {
      context = contextOf(next);
      for (const listener of listeners) listener(context);
    },
  };
}
