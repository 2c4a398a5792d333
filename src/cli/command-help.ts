// What `--help` says of each command below its options.

export const variablesHelp = `
Environment:
  SLUICE_URL               where the server is (default: http://127.0.0.1:8080)
  SLUICE_KEY               the key of a project (default: the development key in SLUICE_DATA_DIR, or in ./data)
  SLUICE_TLS_CA            file of the CA to trust, for an https:// server (default: those that Node trusts)
  SLUICE_TLS_CLIENT_CERT   file of the certificate to show it, with SLUICE_TLS_CLIENT_KEY, the file of its key

sluice serve --help names the server's.`;

export const serveHelp = `
Environment:
  SLUICE_CONFIG         file of the projects (default: the development project only, on loopback only)
  SLUICE_HOST           address to listen on; without SLUICE_CONFIG a loopback one (default: 127.0.0.1)
  SLUICE_HTTP_PORT      Connect, gRPC-Web, gRPC and JSON; 0 is any free port (default: 8080)
  SLUICE_GRPC_PORT      gRPC; 0 is any free port (default: 50051)
  SLUICE_REDIS_URL      redis://…, rediss://… or the path of a socket (default: a Redis of its own)
  SLUICE_REDIS_SERVER   the program for a Redis of its own (default: redis-server on PATH)
  SLUICE_DATA_DIR       where that keeps its data (default: ./data)
  SLUICE_LOG_LEVEL      trace, debug, info, warn, error, fatal or silent (default: info)
  SLUICE_DEV_KEY        development key, 16 to 256 characters (default: the one in the data folder, or a new one)
  SLUICE_TLS_CERT       file of the certificate chain; with it, both ports serve TLS only (default: no TLS)
  SLUICE_TLS_KEY        file of its private key
  SLUICE_TLS_CLIENT_CA  file of the CA that every client needs a certificate of (default: clients need none)

SIGHUP has SLUICE_CONFIG and the TLS files read anew; they also are when they change.

Examples:
  sluice serve
  SLUICE_CONFIG=sluice.yaml SLUICE_HOST=0.0.0.0 sluice serve
  SLUICE_REDIS_URL=redis://127.0.0.1:6379 sluice serve`;

export const importHelp = `
An event without an id is given one, so that a connection that is cut costs nothing and stores nothing twice.
Exits with 0 only when every line was accepted, or had been before.

Examples:
  sluice import events.ndjson.gz
  echo '{"name":"deploy","identities":{"service":"shop"},"properties":{"version":"1.4.2"}}' | sluice import -
  sluice import --repeat 100 events.ndjson`;

export const listHelp = `
Lists all there are unless --limit says otherwise; Ctrl-C ends it, and it says how many were listed.

Order, --since and --until go by when an event was received, not by its own time. A time without an offset is in UTC, as
the times that are printed. A property's text also matches a number or a boolean that is written so; null cannot be asked
for. Names, identities, indexed properties (sluice limits names them) and times are quick to find; for the rest, events
are looked at one by one.

On a terminal the table shows what there is room for, ids always in full: TIME, the event's own time, only where it
differs. Off one, and with --json, all is there.

Examples:
  sluice list --limit 20
  sluice list --name signup --name purchase --oldest-first
  sluice list --identity visitor=v1 --since 1h30m
  sluice list --property status=404 --since 2026-01-31 --until 2026-02-01
  sluice list --since "2026-01-31 08:00+01" --include-test
  sluice list --environment production --value-min 100 --json | jq .name`;

export const tailHelp = `
Every event is printed once, also when the server was away meanwhile. Begins with what is stored from now on, unless
--since or --after says otherwise. Each line of --json holds the event's cursor, for --after.

--since goes by when an event was received, not by its own time. A time without an offset is in UTC, as the times that
are printed. A property's text also matches a number or a boolean that is written so; null cannot be asked for.

Examples:
  sluice tail
  sluice tail --name purchase --value-min 100
  sluice tail --identity visitor=v1 --include-test
  sluice tail --since 10m --limit 50
  sluice tail --since 1970-01-01 --json > events.ndjson
  sluice tail --property status=500 --json | jq -r .cursor`;

export const getHelp = `
Exits with 1 when there is no such event, and says which. An id is known for one to two dedupe windows; sluice limits
names the window.

Examples:
  sluice get order-1
  sluice get order-1 --json | jq .properties
  sluice get order-1 order-2 order-3 | jq -r .receiveTime
  sluice get --cursor AQAAbG9nc2V0MDAwAZtHhE-xAAAAAAAA`;

export const limitsHelp = `
Examples:
  sluice limits
  sluice limits --json | jq -r .eventCount`;

export const newKeyHelp = `
A project can have several keys: add the new one, move its users over, and remove the old one.
With SLUICE_CONFIG, it is said what the file has against the new key.

Examples:
  sluice keys new --project shop --name checkout --permissions track --environments production
  sluice keys new --project shop --name reports --permissions track,list`;

export const checkConfigHelp = `
Exits with 0 only when the file is sound.

Examples:
  sluice config check sluice.yaml
  SLUICE_CONFIG=sluice.yaml sluice config check`;
