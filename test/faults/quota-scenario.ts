import { timestampMs } from "@bufbuild/protobuf/wkt";
import { Order } from "../../gen/sluice/v1/event_service_pb.ts";
import type { Violation } from "./checker.ts";
import { swallowedReplies } from "./network-scenarios.ts";
import { type AnyScenario, defineScenario, type Scenario } from "./scenario.ts";
import { type ProxiedStack, startProxiedStack } from "./stack.ts";

/** So tight that every writer meets it, on a slow machine too. */
const burst = { events: 250, perMs: 1_000 };

/**
 * So long that it is never full again: when it will be tells how many tokens were taken in all. A token is worth 864 ms, so
 * that what a busy machine takes to ask and to answer is less than one.
 */
const ledger = { events: 100_000, perMs: 86_400_000 };

/** Between the time that a chunk is charged by and that of its first event, Redis may have been put off the processor. */
const clockGapMs = 100;

const rateLimits = `{ events: ${burst.events}, per: 1s }, { events: ${ledger.events}, per: 24h }`;

/** Replies are lost while tokens are short: what is sent again must not be charged again, nor let more through. */
export const tightQuota: AnyScenario = defineScenario<ProxiedStack>({
  ...(swallowedReplies as Scenario<ProxiedStack>),
  name: "a network that swallows replies, under a tight rate limit",
  start: (random) => startProxiedStack(random, { rateLimits }),
  missing({ history }) {
    const throttled = history.count("refused RATE_LIMITED");
    return throttled < 100 ? [`throttled events: ${throttled} instead of 100`] : [];
  },
  async verify({ stack, listed }) {
    const { grpc } = stack.clients();
    const { quotas } = await grpc.getLimits({});
    const nowMs = Date.now();
    const [first] = (await grpc.listEvents({ pageSize: 1, order: Order.OLDEST_FIRST, filter: allEvents })).events;
    const [last] = (await grpc.listEvents({ pageSize: 1, order: Order.NEWEST_FIRST, filter: allEvents })).events;
    if (first?.receiveTime === undefined || last?.receiveTime === undefined) throw new Error("nothing is stored");
    const firstMs = timestampMs(first.receiveTime);
    const { seconds = 0n, nanos = 0 } = quotas[1]?.resetAfter ?? {};
    const fullAtMs = nowMs + Number(seconds) * 1000 + nanos / 1e6;
    const taken = ((fullAtMs - firstMs) * ledger.events) / ledger.perMs;
    const letThrough = burst.events * (1 + (timestampMs(last.receiveTime) - firstMs + clockGapMs) / burst.perMs);
    const violations: Violation[] = [];
    if (Math.abs(taken - listed.length) > 2) {
      violations.push({ kind: "wrong charge", subject: `${taken.toFixed(1)} tokens for ${listed.length} events` });
    }
    if (listed.length > letThrough) {
      violations.push({ kind: "wrong charge", subject: `${listed.length} events where ${letThrough} may pass` });
    }
    return violations;
  },
});

const allEvents = { includeTest: true };
