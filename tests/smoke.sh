#!/bin/sh
# smoke.sh BINARY : one host, no server: a fleet is made, a change taken, read back and kept over a restart, and SIGTERM ends it.
# Every wait is for a condition and has an end: no command here may take longer than its `timeout`.
set -eu

binary=$1
case $binary in */*) ;; *) binary=./$binary ;; esac
directory=$(mktemp -d)
state=$directory/state
control=$directory/control.sock
log=$directory/log
daemon=

finish() {
    status=$?
    trap - EXIT
    if [ -n "$daemon" ]; then
        # `timeout` passes the signal on to the daemon it watches.
        kill "$daemon" 2>/dev/null || true
        wait "$daemon" || true
    fi
    if [ "$status" != 0 ]; then
        echo "smoke: failed; the last of the log:" >&2
        tail -n 40 "$log" >&2 || true
    fi
    rm -rf "$directory"
    exit "$status"
}
trap finish EXIT
trap 'exit 1' INT TERM

fail() {
    echo "smoke: $*" >&2
    exit 1
}

# ask METHOD PATH [BODY] : the answer's body; fails unless the status is a 2xx.
ask() {
    curl --silent --show-error --fail-with-body --max-time 20 --unix-socket "$control" --request "$1" \
        ${3:+--data-binary "$3"} "http://localhost$2"
}

start() {
    # A daemon that does not end when it is told to is killed after two minutes, and `stop` sees the status.
    timeout --signal=KILL 120 "$binary" run --state "$state" --control "$control" --unit none --no-mdns \
        --listen 127.0.0.1:0 --log debug 2>>"$log" &
    daemon=$!
    deadline=$(($(date +%s) + 30))
    until [ -S "$control" ] && ask GET /healthz >/dev/null 2>&1; do
        kill -0 "$daemon" 2>/dev/null || fail "the daemon has ended"
        [ "$(date +%s)" -lt "$deadline" ] || fail "no answer from $control within 30 s"
        sleep 0.05
    done
}

stop() {
    kill -TERM "$daemon"
    status=0
    wait "$daemon" || status=$?
    daemon=
    [ "$status" = 0 ] || fail "SIGTERM: exit status $status"
    [ ! -e "$control" ] || fail "SIGTERM: the control socket is still there"
}

# expect WANTED GOT WHERE
expect() {
    [ "$1" = "$2" ] || fail "$3: expected '$1', got '$2'"
}

size=/config/settings/http/max_body_size

timeout 30 "$binary" --version
timeout 30 "$binary" init --state "$state" --fleet smoke
timeout 30 "$binary" id --state "$state" | grep -q '^12D3KooW' || fail "id: no peer ID"

start
ask PUT /config '{"settings": {"http": {"max_body_size": 1234567}}}' >/dev/null
expect 1234567 "$(ask GET $size | tr -d '\r\n')" "after the first change"
ask PUT $size 7654321 >/dev/null
expect 7654321 "$(ask GET $size | tr -d '\r\n')" "after the second change"
ask GET /fleet | grep -q '"smoke"' || fail "GET /fleet does not name the fleet"
timeout 30 "$binary" status --control "$control" | grep smoke || fail "status does not name the fleet"
stop

start
expect 7654321 "$(ask GET $size | tr -d '\r\n')" "after a restart"
stop

if grep -n panicked "$log"; then
    fail "a thread has panicked"
fi
echo "smoke: ok"
