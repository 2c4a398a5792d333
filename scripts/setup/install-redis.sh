# Installs a redis-server from the system's packages, or says how to. Sourced by redis.sh.

# `refresh` renews the lists of packages where installing does not do that by itself.
refresh=
if command -v apt-get >/dev/null; then
  refresh="apt-get update -q"
  install="apt-get install -y -q --no-install-recommends redis-tools"
  # Recorded as installed although its program is gone: without this, apt would do nothing.
  if dpkg-query -W -f '${Status}' redis-tools 2>/dev/null | grep -q ' installed$'; then
    install="$install --reinstall"
  fi
elif command -v dnf >/dev/null; then
  install="dnf install -y redis"
  # Newer Fedoras and RHELs have Valkey; their redis is too old, or gone.
  if dnf -q info valkey >/dev/null 2>&1; then install="dnf install -y valkey"; fi
elif command -v yum >/dev/null; then
  install="yum install -y redis"
elif command -v apk >/dev/null; then
  install="apk add --no-cache redis"
elif command -v pacman >/dev/null; then
  refresh="pacman -Sy"
  install="pacman -S --noconfirm --needed valkey"
elif command -v zypper >/dev/null; then
  install="zypper --non-interactive install redis"
elif command -v brew >/dev/null; then
  fail "redis-server is missing; install it with: brew install redis"
else
  fail "redis-server 7.0 or newer is missing: install it, or name it in SLUICE_REDIS_SERVER"
fi

if [ "$(id -u)" = 0 ]; then
  as_root=
elif sudo -n true 2>/dev/null; then
  as_root="sudo -n"
else
  fail "redis-server is missing; install it with: ${refresh:+sudo $refresh && }sudo $install"
fi

say "installing redis-server from the system's packages ($install)"
log=$(mktemp)
run() { $as_root env DEBIAN_FRONTEND=noninteractive "$@" </dev/null >>"$log" 2>&1; }
# An installer may report success without one, so what counts is the program.
run $install && find_redis >/dev/null || {
  ${refresh:+run $refresh}
  run $install && find_redis >/dev/null
} || {
  cat "$log" >&2
  rm -f "$log"
  fail "could not install redis-server, see above; the command was: $install"
}
rm -f "$log"
