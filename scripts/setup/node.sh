# Makes sure that `node` is Node 24 or newer. Sourced by setup.sh, in the project's folder.

# npm 10, which comes with Node 20, installs the pinned Node without linking it.
if ! [ -e node_modules/.bin/node ]; then
  for pinned in node_modules/node-linux-*/bin/node; do
    [ -x "$pinned" ] || continue
    mkdir -p node_modules/.bin
    ln -sf "../${pinned#node_modules/}" node_modules/.bin/node
  done
fi

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
