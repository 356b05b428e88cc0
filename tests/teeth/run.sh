#!/bin/sh
# run.sh [NAME…] : shows that the checkers of the simulator bite. Each NAME.patch beside this file is a deliberate fault of the node;
# it is applied to a copy of the source, and the simulator must then fail on the promise that the fault breaks. Without names, all.
#
# The head of a patch says what it does, which test or seed is to catch it, and how what is caught is worded: a regular expression. Other
# failures do not count. Where that test does not catch it any more, all of them are run.
set -eu
cd "$(dirname "$0")/../.."
here=$PWD
tree=$here/target/teeth/tree
log=$here/target/teeth/log
# Little is built anew for each fault: no debugging information, and only what has changed.
export CARGO_TARGET_DIR="$here/target/teeth/build" CARGO_TERM_COLOR=never
export CARGO_INCREMENTAL=1 CARGO_PROFILE_DEV_DEBUG=0 CARGO_PROFILE_TEST_DEBUG=0
# A fault may make a run endless; a sound one takes seconds.
patience=${PATIENCE:-300}

rm -rf "$tree"
mkdir -p "$tree"
cp -R Cargo.toml Cargo.lock src tests "$tree"
cd "$tree"
simulate() { timeout "$patience" cargo test --quiet --locked --test sim "$@" >"$log" 2>&1; }
built() { cargo test --quiet --locked --test sim --no-run >"$log" 2>&1; }
head_of() { sed -n "s/^$2: //p" "$here/tests/teeth/$1.patch"; }
# The test, or the seed, that is to catch a fault.
named() {
    case $1 in
        seed\ *) SEED=${1#seed } simulate drawn::replay ;;
        *) simulate "$1" ;;
    esac
}

names=$*
[ -n "$names" ] || names=$(cd "$here/tests/teeth" && ls -- *.patch | sed 's/\.patch$//')
built || { cat "$log" >&2; exit 1; }
for name in $names; do head_of "$name" 'Caught by'; done | sort -u >"$log.tests"
while read -r test; do
    named "$test" </dev/null || { cat "$log" >&2; echo "without any fault: $test fails" >&2; exit 1; }
    grep -q '^test result: ok. [1-9]' "$log" || { echo "there is no test $test" >&2; exit 1; }
done <"$log.tests"

caught=0
failed=""
for name in $names; do
    seen=$(head_of "$name" 'Seen as')
    if ! patch -p0 -s <"$here/tests/teeth/$name.patch" >"$log" 2>&1; then
        echo "$name: DOES NOT FIT the source any more"
        failed="$failed $name"
        # A patch may have been applied in part.
        cp -R "$here/src" .
        continue
    fi
    if ! built; then
        cat "$log"
        echo "$name: DOES NOT COMPILE"
        failed="$failed $name"
    else
        named "$(head_of "$name" 'Caught by')" || true
        grep -aqE "$seen" "$log" || simulate -- --skip mesh:: || true
        if why=$(grep -aoE -m 1 "(seed [0-9]+: )?.{0,40}($seen).{0,40}" "$log"); then
            caught=$((caught + 1))
            echo "$name: caught: $why"
        else
            echo "$name: ESCAPED"
            failed="$failed $name"
        fi
    fi
    patch -p0 -s -R <"$here/tests/teeth/$name.patch"
done
echo "$caught faults caught, not caught:${failed:- none}"
[ -z "$failed" ]
