import type { rpcCodes } from "./rpc-error.ts";

/** An end of a call for which Sluice has no reason of its own. */
export class GrpcRefusal extends Error {
  override readonly name: string = "GrpcRefusal";
  readonly code: keyof typeof rpcCodes;

  constructor(code: keyof typeof rpcCodes, message: string) {
    super(message);
    this.code = code;
  }
}
