#!/bin/sh
# run.sh [NAME…] : shows that the checkers of the simulator bite. Each NAME.patch beside this file is a deliberate fault of the node;
# it is applied to a copy of the source, and the simulator must then fail on a promise. Without names, all of them.
set -eu
cd "$(dirname "$0")/../.."
here=$PWD
tree=$here/target/teeth/tree
log=$here/target/teeth/log
export CARGO_TARGET_DIR="$here/target/teeth/build" CARGO_TERM_COLOR=never
# So many seeds find most faults; all that are always run, and the long scenarios, find the rest.
few=${SEEDS:-24}

rm -rf "$tree"
mkdir -p "$tree"
cp -R Cargo.toml Cargo.lock src tests "$tree"
cd "$tree"
# A fault is to change the checks' verdict, not to trip over what the tests of the source's shape want.
simulate() { cargo test --quiet --locked --test sim "$@"; }
simulate --no-run >"$log" 2>&1 || { cat "$log" >&2; exit 1; }

caught=0
escaped=""
names=$*
[ -n "$names" ] || names=$(cd "$here/tests/teeth" && ls -- *.patch | sed 's/\.patch$//')
for name in $names; do
    patch -p0 -s <"$here/tests/teeth/$name.patch" || { echo "$name: the patch does not fit the source any more" >&2; exit 1; }
    simulate --no-run >"$log" 2>&1 || { cat "$log" >&2; echo "$name: does not compile" >&2; exit 1; }
    if SEEDS=$few simulate always_run >"$log" 2>&1 && simulate >"$log" 2>&1; then
        escaped="$escaped $name"
        echo "$name: ESCAPED"
    else
        caught=$((caught + 1))
        why=$(grep -m 1 -E '^(seed [0-9]+: |.*panicked at )' "$log" || true)
        echo "$name: caught: ${why:-it ended otherwise}"
    fi
    patch -p0 -s -R <"$here/tests/teeth/$name.patch"
done
echo "$caught faults caught, not caught:${escaped:- none}"
[ -z "$escaped" ]
