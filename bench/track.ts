import { projectKeys } from "../src/redis/keys.ts";
import { startPostgresInserts } from "./peers/postgres-inserts.ts";
import { sortOut } from "./support/absent.ts";
import { type BenchContext, benchProject } from "./support/bench-context.ts";
import { compare } from "./support/compare.ts";
import { deleteKeys } from "./support/freed-memory.ts";
import { startModule } from "./support/process.ts";
import { atLeast, atMost, type Row, toCpuRow, toRateRow, toSkippedRow } from "./support/row.ts";
import { createStoredCheck } from "./support/stored-check.ts";
import { keyOf } from "./support/subject.ts";
import { createTrackContender } from "./support/track-contender.ts";
import { measurePace } from "./track-pace.ts";

const callers = 64;
const connections = 32;

/** Track through gRPC, one event a call; then at half of the pace that was reached. */
export async function benchTrack({ subject, redis, commands, roundMs }: BenchContext): Promise<Row[]> {
  const work = `Track, gRPC, ${callers} callers`;
  const key = keyOf(benchProject);
  const empty = await startModule(new URL("floors/empty-grpc-handler.ts", import.meta.url));
  const afternoon = await startModule(new URL("peers/afternoon-service.ts", import.meta.url), [redis.socketPath, key]);
  const postgres = sortOut([await startPostgresInserts(1, connections)]);
  const verifyOurs = await createStoredCheck(commands, projectKeys(benchProject).events);
  const verifyAfternoon = await createStoredCheck(commands, "afternoon:events");
  const ours = await createTrackContender(
    { name: "Sluice", server: subject.server, address: subject.grpcAddress, redis, verify: verifyOurs },
    key,
    callers,
  );
  const floor = await createTrackContender(
    { name: "an empty grpc-js handler", server: empty, address: empty.address },
    key,
    callers,
  );
  const service = await createTrackContender(
    { name: "the afternoon service", server: afternoon, address: afternoon.address, redis, verify: verifyAfternoon },
    key,
    callers,
  );
  try {
    const baselines = [floor, service, ...postgres.present];
    const [toFloor, toService, ...toPostgres] = await compare({ work, unit: "calls", ours, baselines }, roundMs);
    if (toFloor === undefined || toService === undefined) throw new Error("a comparison is missing");
    return [
      toRateRow(toFloor, atLeast(0.8)),
      toCpuRow(toFloor, atMost(1.5)),
      toRateRow(toService, atLeast(3)),
      ...toPostgres.map((comparison) => toRateRow(comparison, atLeast(0.7))),
      ...postgres.absent.map((absent) => toSkippedRow(work, absent)),
      ...(await measurePace(subject, key, toFloor.ours.perSecond / 2, roundMs)),
    ];
  } finally {
    for (const contender of [ours, floor, service]) contender.close();
    for (const server of [empty, afternoon, ...postgres.present]) await server.stop();
    await deleteKeys(commands, "afternoon:*");
  }
}
