# shellcheck shell=bash
# What every script here shares: where things are kept, one run at a time, waiting for conditions.
#
# Nothing is written into the checkout. What may be reused (compiled binaries, the Docker engine's layers)
# and the state of a running cluster live under $CACHE.

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(dirname "$HERE")
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/botellier
PATH=$CACHE/bin:$PATH
# Incremental state is large, and damaged when a compiler is killed; a checkout is compiled once.
export GOFLAGS=-buildvcs=false CARGO_TARGET_DIR=$CACHE/target CARGO_INCREMENTAL=0
mkdir -p "$CACHE"

say() { printf '[%s] %s\n' "$(date +%T)" "$*"; }
fail() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }

# Take the lock that all commands share; daemons are started without it (9>&-).
only_run() {
  exec 9<>"$CACHE/lock"
  flock -n 9 || fail "another run is at work (process $(cat "$CACHE/lock")); wait for it or end it"
  echo $$ >"$CACHE/lock"
}

# wait_for SECONDS COMMAND...: until the command succeeds.
wait_for() {
  local until=$((SECONDS + $1)); shift
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $until ] || { echo "gave up waiting for: $*" >&2; return 1; }
    sleep 0.2
  done
}

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

# packages NAME...: install Debian's packages that are missing, without starting their services.
packages() {
  local missing=() package policy=/usr/sbin/policy-rc.d made=
  for package in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  say "installing ${missing[*]}"
  if [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null
    as_root chmod +x $policy
    made=yes
  fi
  local status=0
  { as_root apt-get update -q && as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -q --no-install-recommends "${missing[@]}"; } >"$CACHE/apt.log" 2>&1 || status=$?
  [ -z "$made" ] || as_root rm $policy
  [ $status = 0 ] || { tail -20 "$CACHE/apt.log" >&2; fail "could not install ${missing[*]}"; }
}

# fingerprint PATH...: a hash of the files' contents and names.
fingerprint() {
  (cd "$ROOT" && find "$@" -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum | cut -c1-16)
}

# zookeeper: where the jars and the settings of the ZooKeeper are that the image has; fetched once.
zookeeper() {
  local jars
  jars=$CACHE/zookeeper-$(fingerprint e2e/zookeeper)
  if [ ! -d "$jars" ]; then
    packages maven >&2
    say "fetching ZooKeeper's jars" >&2
    mvn -q -B -Dstyle.color=never -f "$HERE/zookeeper/pom.xml" dependency:copy-dependencies -DoutputDirectory="$jars.part/lib" >&2
    mkdir -p "$jars.part/conf"
    cp "$HERE/zookeeper/logback.xml" "$jars.part/conf/"
    mv "$jars.part" "$jars"
  fi
  echo "$jars"
}

# choose_cluster [KIND]: what was asked for, or kind where it is there with its node image, or our own.
choose_cluster() {
  case "${1:-}" in
    own | kind | current) echo "$1" ;;
    '')
      if command -v kind >/dev/null && [ -n "$(docker image ls -q kindest/node 2>/dev/null)" ]; then echo kind; else echo own; fi
      ;;
    *) fail "no cluster '$1': own, kind or current" ;;
  esac
}

# isolated COMMAND...: in namespaces of its own; when the command or this script ends, the kernel ends all that is in them.
isolated() {
  local status=0
  [ "$(id -u)" = 0 ] || fail "only root can make namespaces"
  unshare --mount --net --pid --fork --kill-child --mount-proc --propagation private "$@" 9>&- &
  local process=$!
  # shellcheck disable=SC2064 # the process is known now
  trap "kill -9 $process 2>/dev/null || true" EXIT
  wait $process || status=$?
  trap - EXIT
  return $status
}
