#!/bin/sh
# demo.sh STARLING UNIT-STANDIN - three peers on this host, each with a stand-in server:
# a configuration is put to the first, and is there on all three. `make demo` calls it.
#
# Everything lives in one temporary directory and is gone at Ctrl-C. The peers talk over the
# loopback interface only. STARLING_DEMO_ONCE=1 ends after the show.
set -eu

starling=${1:?"usage: demo.sh STARLING UNIT-STANDIN"}
standin=${2:?"usage: demo.sh STARLING UNIT-STANDIN"}
command -v curl >/dev/null || { echo "demo: this needs curl; install it, or run 'make demo' as root" >&2; exit 1; }

dir=$(mktemp -d "${TMPDIR:-/tmp}/starling-demo.XXXXXX")
pids=

say() { printf '\n== %s\n' "$*"; }
fail() {
  echo "demo: $*" >&2
  tail -n 20 "$dir"/peer*.log >&2 || true
  exit 1
}

clean_up() {
  trap - EXIT INT TERM
  # shellcheck disable=SC2086
  [ -z "$pids" ] || { kill $pids 2>/dev/null || true; wait $pids 2>/dev/null || true; }
  rm -rf "$dir"
}
trap clean_up EXIT
trap 'clean_up; exit 0' INT TERM

# Milliseconds since some moment; with whole seconds only where date knows no better.
now_ms() {
  ns=$(date +%s%N)
  case $ns in *N) echo "${ns%N}000" ;; *) echo "${ns%??????}" ;; esac
}

# until_true SECONDS COMMAND...: asks 50 times a second.
until_true() {
  left=$(($1 * 50))
  shift
  until "$@"; do
    left=$((left - 1))
    [ "$left" -gt 0 ] || return 1
    sleep 0.02
  done
}

ask() { curl -fsS --max-time 5 --unix-socket "$@" 2>/dev/null; }
answers() { ask "$dir/peer$1.sock" http://localhost/fleet >/dev/null; }
log_has() { grep -q "$2" "$dir/peer$1.log"; }
link_count() { grep -c 'linked with' "$dir/peer$1.log" || true; }
linked() { [ "$(link_count 1)" -ge 2 ] && [ "$(link_count 2)" -ge 2 ] && [ "$(link_count 3)" -ge 2 ]; }

# start_peer N [FLAG...]
start_peer() {
  n=$1
  shift
  "$starling" run --state "$dir/peer$n" --control "$dir/peer$n.sock" --unit "$dir/unit$n.sock" \
    --listen 127.0.0.1:0 --interface lo --name "peer$n" "$@" >"$dir/peer$n.log" 2>&1 &
  pids="$pids $!"
  echo $! >"$dir/peer$n.pid"
  until_true 5 answers "$n" || fail "peer $n did not start"
}

stop_peer() {
  read -r pid <"$dir/peer$1.pid"
  kill "$pid" 2>/dev/null || true
  wait "$pid" 2>/dev/null || true
}

# The loopback address of peer $1, its port taken from the kernel's table of sockets.
address_of() {
  read -r pid <"$dir/peer$1.pid"
  for fd in /proc/"$pid"/fd/*; do
    inode=$(readlink "$fd" | sed -n 's/^socket:\[\([0-9]*\)\]$/\1/p')
    [ -n "$inode" ] || continue
    hex=$(awk -v inode="$inode" '$4 == "0A" && $10 == inode { sub(/.*:/, "", $2); print $2; exit }' /proc/net/tcp)
    [ -z "$hex" ] || { printf '127.0.0.1:%d\n' "0x$hex"; return; }
  done
  fail "peer $1 listens on no port"
}

say "A fleet: the first peer makes it, the others join with its token"
for n in 1 2 3; do
  "$standin" "$dir/unit$n.sock" --state "$dir/unit$n.json" >/dev/null 2>&1 &
  pids="$pids $!"
done
echo "   \$ starling init"
"$starling" init --state "$dir/peer1" --fleet demo >/dev/null
echo "   \$ starling token | starling join -"
for n in 2 3; do
  "$starling" token --state "$dir/peer1" | "$starling" join - --state "$dir/peer$n" >/dev/null
done
for n in 1 2 3; do
  until_true 5 test -S "$dir/unit$n.sock" || fail "stand-in server $n did not start"
  echo "   peer $n: its peer ID is $("$starling" id --state "$dir/peer$n")"
done

say "Three peers start, each with a server of its own"
for n in 1 2 3; do start_peer "$n"; done
if until_true 3 linked; then
  echo "   they have found each other by mDNS"
else
  echo "   mDNS on the loopback interface did not link them within 3 s: once more, with --peer"
  for n in 2 3; do stop_peer "$n"; done
  start_peer 2 --peer "$(address_of 1)"
  start_peer 3 --peer "$(address_of 1)" --peer "$(address_of 2)"
  until_true 10 linked || fail "the peers are not linked"
fi
for n in 1 2 3; do
  grep -E 'discovered|linked with' "$dir/peer$n.log" | sort -u | sed "s/^/   peer $n: /"
done
"$starling" status --control "$dir/peer1.sock" | sed 's/^/   /' || true

say "A configuration is put to the first"
cat >"$dir/hello.json" <<'JSON'
{
  "listeners": {"*:8080": {"pass": "routes"}},
  "routes": [{"action": {"return": 301, "location": "https://example.org/hello"}}]
}
JSON
echo "   \$ curl -X PUT --data-binary @hello.json --unix-socket $dir/peer1.sock http://localhost/config"
curl -fsS -X PUT --data-binary "@$dir/hello.json" --unix-socket "$dir/peer1.sock" http://localhost/config |
  sed 's/^/   /' || fail "peer 1 did not take it"
begin=$(now_ms)
has() { ask "$1" "http://localhost/config/routes/0/action/location" | grep -q hello; }
for n in 2 3; do until_true 10 has "$dir/peer$n.sock" || fail "peer $n does not have it"; done
for n in 1 2 3; do until_true 10 has "$dir/unit$n.sock" || fail "server $n does not run it"; done
took=$(($(now_ms) - begin))

say "The same on the other two, and in all three servers, after $took ms (five calls of curl included)"
for n in 2 3; do
  echo "   peer $n answers:   $(ask "$dir/peer$n.sock" http://localhost/config/routes/0/action/location)"
done
for n in 1 2 3; do
  echo "   server $n runs:    $(ask "$dir/unit$n.sock" http://localhost/config/routes/0/action/location)"
done
[ "${STARLING_DEMO_ONCE:-}" != 1 ] || exit 0

say "Now you (Ctrl-C ends it all)"
cat <<TEXT
   curl --unix-socket $dir/peer3.sock http://localhost/config
   curl -X PUT -d '"https://example.org/there"' --unix-socket $dir/peer3.sock \\
        http://localhost/config/routes/0/action/location
   curl --unix-socket $dir/unit1.sock http://localhost/config/routes
   curl --unix-socket $dir/peer2.sock http://localhost/fleet
   $starling status --control $dir/peer1.sock
TEXT
wait
