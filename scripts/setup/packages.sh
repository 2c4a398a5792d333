# Installs node_modules when it is not what package-lock.json says. Sourced by setup.sh.

stamp=node_modules/.sluice-lock
# The platform is part of it: the packages hold programs built for one.
wanted="$(cksum <package-lock.json) $(uname -sm)"

if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
  say "installing the npm packages (npm ci)"
  # Errors only: npm may run on an older Node than the one that it installs, and would warn of it for every package.
  npm ci --include=dev --include=optional --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null ||
    fail "npm ci failed, see above"
  echo "$wanted" >"$stamp"
fi
