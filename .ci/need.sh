#!/bin/sh
# need.sh COMMAND:PACKAGE… : sees to it that the commands are there, from Debian's packages where this user may install them.
# What is still missing is named, and the exit status is 1: the caller knows whether it can go on without.
set -eu
PATH=$PATH:/usr/sbin:/sbin # where Debian keeps ip and nft, and an ordinary user does not look

missing() {
    for want; do
        case ${want%%:*} in
        /*) [ -e "${want%%:*}" ] || echo "$want" ;; # a file to be there
        *) command -v "${want%%:*}" >/dev/null 2>&1 || echo "$want" ;;
        esac
    done
}

lacking=$(missing "$@")
[ -n "$lacking" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    # shellcheck disable=SC2086,SC2046 # a list of words
    set -- $lacking
    # Package lists and dpkg are locked by whoever else installs at this moment: wait, it does not take long.
    export DEBIAN_FRONTEND=noninteractive
    # Lists that could not be fetched anew may still do; if not, the installation says so.
    apt-get -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 -q update >&2 || echo "need.sh: package lists not renewed" >&2
    # shellcheck disable=SC2046
    apt-get -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 -q -y --no-install-recommends install \
        $(printf '%s\n' "$@" | sed 's/.*://' | sort -u) </dev/null >&2 || echo "need.sh: apt-get install failed" >&2
    lacking=$(missing "$@")
    [ -n "$lacking" ] || exit 0
fi
for want in $lacking; do
    echo "missing: ${want%%:*} (Debian package ${want##*:})" >&2
done
exit 1
