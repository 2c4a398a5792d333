# Makes sure that `node` is Node 24 or newer. Sourced by setup.sh.

# The pinned Node is built against glibc. Where it cannot run, it must not hide the system's.
if [ -e node_modules/.bin/node ] && ! node_modules/.bin/node --version >/dev/null 2>&1; then
  rm node_modules/.bin/node
fi

node_version=$(node --version 2>/dev/null) || node_version=none
node_major=${node_version#v}
node_major=${node_major%%.*}
if ! [ "$node_major" -ge 24 ] 2>/dev/null; then
  fail "Node 24 or newer is needed on this system (found: $node_version); see https://nodejs.org"
fi
