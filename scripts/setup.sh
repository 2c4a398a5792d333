# Makes sure of what the other commands need: the npm packages, Node and a redis-server. Asks nothing.
#   sh scripts/setup.sh [start]     `start` does without redis-server when SLUICE_REDIS_URL names one
set -eu
cd "$(dirname "$0")/.."

say() { echo "setup: $*" >&2; }
fail() {
  say "$*"
  exit 1
}

. scripts/setup/packages.sh
PATH=$PWD/node_modules/.bin:$PATH
. scripts/setup/node.sh
if [ "${1-}" != start ] || [ -z "${SLUICE_REDIS_URL-}" ]; then
  . scripts/setup/redis.sh
fi
