# Makes sure of a redis-server or valkey-server, 7.0 or newer. Sourced by setup.sh.
# Looks where the server looks: SLUICE_REDIS_SERVER, then redis-server and valkey-server on PATH.

# Debian's redis-server package would start a daemon. redis-tools holds the same program under the name below,
# and the program takes its role from the name that it is called by.
debian_program=/usr/bin/redis-check-rdb
link=node_modules/.bin/redis-server

find_redis() {
  command -v redis-server && return
  command -v valkey-server && return
  [ -x "$debian_program" ] && ln -sf "$debian_program" "$link" && command -v redis-server
}

if [ -n "${SLUICE_REDIS_SERVER-}" ]; then
  redis=$SLUICE_REDIS_SERVER
  [ -f "$redis" ] && [ -x "$redis" ] || fail "SLUICE_REDIS_SERVER is not a program: $redis"
else
  redis=$(find_redis) || {
    . scripts/setup/install-redis.sh
    redis=$(find_redis) || fail "still no redis-server on PATH: name it in SLUICE_REDIS_SERVER"
  }
fi

redis_version=$("$redis" --version 2>/dev/null | sed -n 's/.* v=\([0-9][0-9.]*\).*/\1/p')
case $redis_version in
'')
  fail "$redis is not a redis-server or valkey-server"
  ;;
[0-6].*)
  # Our own link must not hide the newer one that the user is about to install.
  rm -f "$link"
  fail "$redis is version $redis_version, 7.0 or newer is needed: install one, or name it in SLUICE_REDIS_SERVER"
  ;;
esac
