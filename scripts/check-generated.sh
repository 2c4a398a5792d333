# Fails when gen/ is not exactly what `npm run generate` would write.
set -eu

fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
buf generate --output "$fresh"
diff -r gen "$fresh/gen" || {
  echo "gen/ is stale: run npm run generate" >&2
  exit 1
}
