# Every check that a commit has to pass; stops at the first that fails. Run by `npm run check`.
set -eu

step() {
  name=$1
  shift
  echo "check: $name"
  "$@" || {
    echo "check: $name failed" >&2
    exit 1
  }
}

step format biome check --linter-enabled=false
step lint npm run --silent lint
step types npm run --silent typecheck
step "buf lint" buf lint
step "buf breaking" buf breaking --against proto/baseline.binpb
step "gen/ is fresh" sh scripts/check-generated.sh
step tests vitest run
echo "check: all passed"
