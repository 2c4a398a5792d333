import type { DescMethod } from "@bufbuild/protobuf";
import type { ConnectRouter, HandlerContext } from "@connectrpc/connect";
import { Code, ConnectError, createConnectRouter } from "@connectrpc/connect";
import type { UniversalHandlerFn } from "@connectrpc/connect/protocol";
import { EventService } from "../../gen/sluice/v1/event_service_pb.ts";
import type { Access } from "../domain/access.ts";
import type { ServingStatus } from "../domain/ports.ts";
import { KeyedCaller } from "./call-key.ts";
import { callOf, failCall, nameOfCode } from "./connect-call.ts";
import { endSignal } from "./connect-end.ts";
import { addEventMethods } from "./connect-methods.ts";
import { commonOptions, jsonWriteMaxBytes, protoWriteMaxBytes } from "./connect-options.ts";
import { toEndError, translateRefusals } from "./connect-refusal.ts";
import { jsonForm, wireForm } from "./event-form.ts";
import type { EventHandlers } from "./event-service.ts";
import { addHealth } from "./health-routes.ts";
import type { OpenCallLimit } from "./open-call-limit.ts";
import { addReflection } from "./reflection.ts";

export interface ConnectRouterDeps {
  readonly handlers: EventHandlers;
  readonly access: Access;
  readonly serving: ServingStatus;
  /** Aborted when the server begins to shut down: Watch and reflection end then. */
  readonly shutdown: AbortSignal;
}

/** What serves a path: one handler for protobuf, one for JSON. */
export interface ConnectRoute {
  /** Absent: no method has this path. */
  readonly method?: DescMethod;
  readonly kind: DescMethod["methodKind"];
  readonly proto: UniversalHandlerFn;
  readonly json: UniversalHandlerFn;
}

/** The routes of EventService, health and reflection, by path. */
export function createRoutes(
  { handlers, access, serving, shutdown }: ConnectRouterDeps,
  openCalls: OpenCallLimit,
): Map<string, ConnectRoute> {
  const requestGate = (context: HandlerContext) => openGate(context, access);
  const proto = createConnectRouter({ ...commonOptions, requestGate, writeMaxBytes: protoWriteMaxBytes });
  const json = createConnectRouter({ ...commonOptions, requestGate, writeMaxBytes: jsonWriteMaxBytes });
  const open = createConnectRouter({ ...commonOptions, requestGate: (context) => openGate(context) });
  addEventMethods(proto, handlers, wireForm);
  addEventMethods(json, handlers, jsonForm);
  addHealth(open, { serving, shutdown, openCalls });
  addReflection(open, { shutdown, openCalls });
  return new Map([...toRoutes(proto, json), ...toRoutes(open, open)]);
}

/** Answers that there is no such method, in the shape of the caller's protocol. */
export function createUnknownRoute(): ConnectRoute {
  const router = createConnectRouter({
    requestGate(context) {
      callOf(context).code = nameOfCode(Code.Unimplemented);
      throw new ConnectError("unknown method", Code.Unimplemented);
    },
  });
  router.rpc(EventService.method.track, () => ({}));
  const [refuse] = router.handlers;
  if (refuse === undefined) throw new Error("a router has a handler for each method");
  const handle: UniversalHandlerFn = async (request) => {
    const response = await refuse(request);
    return response.status === 200 ? response : { ...response, status: 404 };
  };
  return { kind: "unary", proto: handle, json: handle };
}

function toRoutes(proto: ConnectRouter, json: ConnectRouter): [string, ConnectRoute][] {
  const jsonHandlers = new Map(json.handlers.map((handler) => [handler.requestPath, handler]));
  return proto.handlers.map((handler) => {
    const { method, requestPath } = handler;
    return [
      requestPath,
      { method, kind: method.methodKind, proto: handler, json: jsonHandlers.get(requestPath) ?? handler },
    ];
  });
}

/** Runs before anything of the body is read, so that whoever has no key, or one for other methods, is refused for nothing. */
function openGate(context: HandlerContext, access?: Access): void {
  const call = callOf(context);
  translateRefusals(context, call);
  try {
    if (access !== undefined) {
      const caller = new KeyedCaller({
        access,
        authorization: context.requestHeader.get("authorization") ?? undefined,
        method: context.method,
        onGrant: (grant) => {
          call.grant = grant;
        },
      });
      call.caller = Object.assign(caller, {
        entrance: call.entrance,
        signal: endSignal(context),
        remainingMs: () => context.timeoutMs() ?? Number.POSITIVE_INFINITY,
      });
    }
    if (call.refusal !== undefined) throw call.refusal;
    if (context.signal.aborted) throw toEndError(context.signal.reason);
  } catch (thrown) {
    if (thrown instanceof ConnectError) {
      call.code = nameOfCode(thrown.code);
      throw thrown;
    }
    throw failCall(call, thrown);
  }
}
