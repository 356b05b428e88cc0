#!/usr/bin/env bash
# netlab.sh - a throw-away network of N hosts on one Linux machine: the ground that
# the multi-host tests and the bench stand on.
#
#   netlab.sh private CMD...         run CMD in mount, net and pid namespaces of its own:
#                                    nothing is left behind, even when CMD is killed with -9
#   netlab.sh up N [--subnets K]     make N hosts on K Ethernet segments (default 1)
#   netlab.sh exec I CMD...          run CMD on host I (execs: the pid is CMD's own)
#   netlab.sh partition 'A,B|C-E|rest'  drop everything between the groups, both ways
#   netlab.sh oneway A,B C,D         drop only what A,B send to C,D; adds to what is cut already
#   netlab.sh heal                   undo partition and oneway
#   netlab.sh link I unplug|plug     cable out/in: host I loses carrier, keeps addresses
#   netlab.sh noipv4 I               take host I's IPv4 address away
#   netlab.sh netem I SPEC...        make host I's cable bad, each way of it: delay 50ms,
#                                    loss 5%, rate 64kbit, limit 32 (frames that may wait)
#   netlab.sh spy I J                count the TCP segments with data that I sends to J
#   netlab.sh knocks I NET           let host I reach for NET (of IPv4), where nobody is, and
#                                    count the connections that it tries to begin there
#   netlab.sh spied                  print the count of each spy, one a line, oldest first
#   netlab.sh down                   remove the lab and all that runs in it
#
# NETLAB_PREFIX (default nl) names the lab, so that several can exist side by side.
# Host i is namespace ${P}i, interface eth0, in segment s = (i-1)*K/N:
#   10.77.s.(i) / fd77:0:0:s::(i) / fe80::(i), MAC 02:77:00:ss:00:ii; i <= 250.
# The bridges live in ${P}br, so the machine's own network stack is not touched.
# With K > 1 host ${P}rt routes between segments; multicast does not cross it.
# Needs iproute2, nftables, util-linux, and root or unprivileged user namespaces; for
# netem on a kernel without sch_netem also python3, ethtool and /dev/net/tun.
# shellcheck disable=SC2015,SC2016
set -euo pipefail

P=${NETLAB_PREFIX:-nl}
[[ $P =~ ^[a-z][a-z0-9]{0,7}$ ]] || { echo "netlab: bad NETLAB_PREFIX '$P'" >&2; exit 2; }
STATE=${NETLAB_STATE:-/tmp/netlab.$P}          # holds N and K
BR=${P}br RT=${P}rt

die()  { echo "netlab: $*" >&2; exit 1; }
load() { [[ -r $STATE/lab ]] || die "no lab '$P' is up"; read -r N K <"$STATE/lab"; }
seg()  { echo $(( ($1 - 1) * K / N )); }
host() { [[ $1 =~ ^[0-9]+$ ]] && (( $1 >= 1 && $1 <= N )) || die "no host '$1' (1..$N)"; }

# expand "1,3-5" to "1 3 4 5"
expand() {
  local part a b
  for part in ${1//,/ }; do
    [[ $part =~ ^([0-9]+)(-([0-9]+))?$ ]] || die "bad host list '$1'"
    a=${BASH_REMATCH[1]} b=${BASH_REMATCH[3]:-${BASH_REMATCH[1]}}
    host "$a"; host "$b"
    seq "$a" "$b"
  done
}

# comma lists of nft elements for the hosts given: ports on a bridge, v4, v6
ports() { local i o=; for i in "$@"; do o+="\"v$i\",\"t$i\","; done; echo "${o%,}"; }
ip4s()  { local i o=; for i in "$@"; do o+="10.77.$(seg "$i").$i,"; done; echo "${o%,}"; }
ip6s()  { local i o=; for i in "$@"; do o+="$(printf 'fd77::%x:0:0:0:%x' "$(seg "$i")" "$i"),"; done; echo "${o%,}"; }

ns_list() { ip netns list 2>/dev/null | awk '{print $1}' | grep -E "^$P([0-9]+|br|rt)\$" || true; }

# print the addresses of host $1 as `ip -batch` lines; nodad: usable at once
addr_lines() {
  local i=$1 s; s=$(seg "$i")
  printf 'addr add 10.77.%d.%d/24 brd + dev eth0\n' "$s" "$i"
  printf 'addr add fe80::%x/64 dev eth0 nodad\n' "$i"
  printf 'addr add fd77:0:0:%x::%x/64 dev eth0 nodad\n' "$s" "$i"
  (( K > 1 )) || return 0
  printf 'route add default via 10.77.%d.254\n' "$s"
  printf 'route add ::/0 via fd77:0:0:%x::fe dev eth0\n' "$s"
}

switch_up() {
  local s
  ip netns add "$BR"
  # No IPv6 of its own and no netfilter for bridged frames in the switch.
  ip netns exec "$BR" sh -c 'echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6
    for f in /proc/sys/net/bridge/bridge-nf-call-*; do [ -w "$f" ] && echo 0 >"$f"; done; true'
  for ((s = 0; s < K; s++)); do
    # mcast_snooping 0: without an IGMP querier, snooping may stop mDNS after minutes.
    printf 'link add br%d type bridge mcast_snooping 0 stp_state 0 forward_delay 0\nlink set br%d up\n' $s $s
  done | ip -n "$BR" -batch -
}

hosts_up() {
  local i
  for ((i = 1; i <= N; i++)); do ip netns add "$P$i"; done
  for ((i = 1; i <= N; i++)); do
    printf 'link add v%d type veth peer name eth0 address 02:77:00:%02x:00:%02x netns %s\n' \
      $i "$(seg $i)" $i "$P$i"
    printf 'link set v%d master br%d up\n' $i "$(seg $i)"
  done | ip -n "$BR" -batch -
  for ((i = 1; i <= N; i++)); do
    { echo 'link set eth0 addrgenmode none'; echo 'link set lo up'; echo 'link set eth0 up'
      addr_lines $i; } | ip -n "$P$i" -batch -
  done
}

router_up() {
  local s
  ip netns add "$RT"
  for ((s = 0; s < K; s++)); do
    ip -n "$BR" link add r$s type veth peer name eth$s address "$(printf '02:77:00:%02x:ff:fe' $s)" netns "$RT"
    ip -n "$BR" link set r$s master br$s up
    printf 'link set eth%d up\naddr add 10.77.%d.254/24 dev eth%d\naddr add fd77:0:0:%x::fe/64 dev eth%d nodad\n' \
      $s $s $s $s $s | ip -n "$RT" -batch -
  done
  ip netns exec "$RT" sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'
  ip -n "$RT" link set lo up
}

up() {
  N=${1:-}; K=1; shift || true
  while (( $# )); do case $1 in --subnets) K=$2; shift 2;; *) die "up: what is '$1'?";; esac; done
  [[ $N =~ ^[0-9]+$ && $K =~ ^[0-9]+$ ]] && (( N >= 1 && N <= 250 && K >= 1 && K <= N && K <= 64 )) ||
    die "up N [--subnets K], 1 <= K <= N <= 250"
  [[ -z $(ns_list) ]] || die "lab '$P' is already up (netlab.sh down first)"
  mkdir -p "$STATE"; echo "$N $K" >"$STATE/lab"
  trap 'down >/dev/null 2>&1; trap - EXIT' EXIT            # a half-made lab is removed
  switch_up
  hosts_up
  (( K == 1 )) || router_up
  nft_init
  trap - EXIT
}

# Empty verdict chains: partition and oneway only ever add to `cut`, spy to `spies`.
nft_init() {
  ip netns exec "$BR" nft -f - <<<'table bridge lab {
    chain cut { type filter hook forward priority 0; policy accept; };
    chain spies { type filter hook forward priority -1; policy accept; }; }'
  (( K == 1 )) || ip netns exec "$RT" nft -f - \
    <<<'table inet lab { chain cut { type filter hook forward priority 0; policy accept; }; }'
}

# drop what hosts in list $1 send to hosts in list $2 (lists: space separated)
cut() {
  # shellcheck disable=SC2086
  { local a4 b4 a6 b6 pa pb
    pa=$(ports $1) pb=$(ports $2) a4=$(ip4s $1) b4=$(ip4s $2) a6=$(ip6s $1) b6=$(ip6s $2); }
  ip netns exec "$BR" nft "add rule bridge lab cut iifname { $pa } oifname { $pb } drop"
  (( K == 1 )) || ip netns exec "$RT" nft -f - <<<"add rule inet lab cut ip saddr { $a4 } ip daddr { $b4 } drop
add rule inet lab cut ip6 saddr { $a6 } ip6 daddr { $b6 } drop"
}

partition() {
  load
  local spec=$1 g i j seen=' ' all=() groups=()
  [[ $spec == *'|'* ]] || die "partition: at least two groups, as in '1,2|3,4'"
  IFS='|' read -ra all <<<"$spec"
  for g in "${all[@]}"; do
    if [[ $g == rest ]]; then groups+=(rest); continue; fi
    g=$(expand "$g" | tr '\n' ' ')
    for i in $g; do [[ $seen != *" $i "* ]] || die "host $i is in two groups"; seen+="$i "; done
    groups+=("$g")
  done
  for ((i = 0; i < ${#groups[@]}; i++)); do
    [[ ${groups[i]} == rest ]] || continue
    groups[i]=$(for ((j = 1; j <= N; j++)); do [[ $seen == *" $j "* ]] || echo $j; done | tr '\n' ' ')
    [[ -n ${groups[i]// /} ]] || die "no host is left for 'rest'"
  done
  heal
  for ((i = 0; i < ${#groups[@]}; i++)); do
    for ((j = 0; j < ${#groups[@]}; j++)); do
      (( i == j )) || cut "${groups[i]}" "${groups[j]}"
    done
  done
}

heal() {
  load
  ip netns exec "$BR" nft flush chain bridge lab cut
  (( K == 1 )) || ip netns exec "$RT" nft flush chain inet lab cut
}

link() {
  load; host "$1"
  case $2 in
    unplug) ip -n "$BR" link set "v$1" down;;
    plug)   ip -n "$BR" link set "v$1" up;;
    *) die "link I unplug|plug";;
  esac
}

# Where the kernel has no netem, a small relay between host I's cable and a tap on the
# bridge stands in for it.
netem() {
  load; host "$1"
  local i=$1; shift
  (( $# )) || die "netem I delay 50ms loss 5% ..."
  if ip netns exec "$P$i" tc qdisc replace dev eth0 root netem "$@" 2>/dev/null; then
    ip netns exec "$BR" tc qdisc replace dev "v$i" root netem "$@"
  else
    relay "$i" "$@"
  fi
}

relay() {
  local i=$1 n; shift
  [[ ! -e $STATE/relay.$i.log ]] || die "netem: host $i has a relay already"
  # Frames taken off the cable by hand must carry a real checksum and fit the MTU.
  ip netns exec "$P$i" ethtool -K eth0 tx off tso off gso off >/dev/null
  ip -n "$BR" tuntap add dev "t$i" mode tap
  relay_py >"$STATE/relay.py"
  setsid ip netns exec "$BR" python3 "$STATE/relay.py" "v$i" "t$i" "$@" </dev/null >"$STATE/relay.$i.log" 2>&1 &
  for ((n = 0; n < 500; n++)); do grep -qs ready "$STATE/relay.$i.log" && break; sleep 0.02; done
  grep -qs ready "$STATE/relay.$i.log" || die "netem: the relay did not start: $(cat "$STATE/relay.$i.log")"
  ip -n "$BR" link set "v$i" nomaster
  ip -n "$BR" link set "t$i" master "br$(seg "$i")" up
}

relay_py() { cat <<'PY'
import fcntl, heapq, os, random, select, socket, struct, sys, time
UNITS = {'us': 1e-6, 'ms': 1e-3, 's': 1.0, '%': 1e-2, 'kbit': 1e3, 'mbit': 1e6, '': 1.0}
def number(word):
    digits = word.rstrip('abcdefghijklmnopqrstuvwxyz%')
    return float(digits) * UNITS[word[len(digits):]]
def conditions(words):
    found = dict(delay=0.0, loss=0.0, rate=0.0, limit=1000.0)
    for name, value in zip(words[::2], words[1::2], strict=True):
        if name not in found: raise SystemExit('unknown word ' + name)
        found[name] = number(value)
    return found
def main(cable, tap, words):
    bad = conditions(words)
    t = os.open('/dev/net/tun', os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(t, 0x400454ca, struct.pack('16sH22x', tap.encode(), 0x1002))  # TAP, no header
    c = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    c.setsockopt(263, 23, 1)                        # SOL_PACKET, PACKET_IGNORE_OUTGOING
    c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    c.bind((cable, 3)); c.setblocking(False)        # ETH_P_ALL
    c.setsockopt(263, 1, struct.pack('iHH8s', socket.if_nametoindex(cable), 1, 0, b''))  # promiscuous
    waiting, count, free, held = [], 0, [0.0, 0.0], [0, 0]
    def take(way, frame):
        nonlocal count
        if random.random() < bad['loss'] or held[way] >= bad['limit']: return
        due = time.monotonic()
        if bad['rate']:
            free[way] = max(free[way], due) + len(frame) * 8 / bad['rate']; due = free[way]
        count += 1; held[way] += 1; heapq.heappush(waiting, (due + bad['delay'], count, way, frame))
    print('ready', flush=True)
    while True:
        wait = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
        ready = select.select([c, t], [], [], wait)[0]
        for way, end, read in ((0, c, lambda: c.recv(65535)), (1, t, lambda: os.read(t, 65535))):
            try:
                while end in ready: take(way, read())
            except BlockingIOError: pass
            except OSError: time.sleep(0.01)        # the cable is out for now
        while waiting and waiting[0][0] <= time.monotonic():
            _, _, way, frame = heapq.heappop(waiting); held[way] -= 1
            try: os.write(t, frame) if way == 0 else c.send(frame)
            except OSError: pass                    # the cable is out, or its queue full: lost
main(sys.argv[1], sys.argv[2], sys.argv[3:])
PY
}

# Whatever a program writes to a TCP socket ends in a segment with PSH set; a
# handshake, an ACK, a FIN and a RST have none.
spy() {
  load; host "$1"; host "$2"
  ip netns exec "$BR" nft "add rule bridge lab spies iifname \"v$1\" oifname \"v$2\" tcp flags & psh == psh counter"
}

# The frames go to a router that is not there, so that the kernel has no reason to give up.
knocks() {
  load; host "$1"
  local via; via=10.77.$(seg "$1").254
  ip -n "$P$1" neigh replace "$via" lladdr 02:77:00:00:ff:fe dev eth0
  ip -n "$P$1" route replace default via "$via" dev eth0
  ip netns exec "$BR" nft "add rule bridge lab spies iifname \"v$1\" ip daddr $2 tcp flags & (syn|ack) == syn counter"
}

spied() {
  load
  ip netns exec "$BR" nft list chain bridge lab spies | sed -n 's/.*counter packets \([0-9]*\).*/\1/p'
}

down() {
  local ns pids n
  for ns in $(ns_list); do                        # only what runs inside the lab's own namespaces
    pids=$(ip netns pids "$ns" 2>/dev/null || true)
    # shellcheck disable=SC2086
    [[ -z $pids ]] || kill -9 $pids 2>/dev/null || true
  done
  for ((n = 0; n < 50; n++)); do                  # let them be gone, then the names go
    pids=; for ns in $(ns_list); do pids+=$(ip netns pids "$ns" 2>/dev/null || true); done
    [[ -n $pids ]] || break; sleep 0.02
  done
  for ns in $(ns_list); do ip netns del "$ns" || true; done
  rm -rf "$STATE"
}

# Without root a user namespace lends it; /run is then covered, for it is not ours. /dev/shm
# too: libfaketime leaves semaphores there when its program is killed.
# --pdeathsig: killing the caller kills unshare, and --kill-child all that is inside.
private() {
  local user=()
  (( EUID == 0 )) || user=(--user --map-root-user)
  exec setpriv --pdeathsig KILL unshare "${user[@]}" --mount --net --pid --fork --kill-child \
    --mount-proc --propagation private \
    bash -c '{ [ -w /run ] || mount -t tmpfs netlab /run; } && mkdir -p /run/netns /run/netlab &&
      mount -t tmpfs netlab /run/netns && mount --make-shared /run/netns &&
      mount -t tmpfs netlab /run/netlab &&
      { [ ! -d /dev/shm ] || mount -t tmpfs netlab /dev/shm; } && ip link set lo up || exit 1
      export NETLAB_STATE=/run/netlab/lab; "$@"' netlab "$@"
}

cmd=${1:-help}; shift || true
case $cmd in
  private) private "$@";;
  up) up "$@";;
  exec) load; host "$1"; i=$1; shift
        # own UTS namespace: each host has its own name; every step execs, the pid stays
        exec ip netns exec "$P$i" unshare --uts sh -c "hostname $P$i; exec \"\$@\"" sh "$@";;
  partition) partition "$@";;
  oneway) load; cut "$(expand "$1" | tr '\n' ' ')" "$(expand "$2" | tr '\n' ' ')";;
  heal) heal;;
  link) link "$@";;
  noipv4) load; host "$1"; ip -n "$P$1" -4 addr flush dev eth0;;
  netem) netem "$@";;
  spy) spy "$@";;
  knocks) knocks "$@";;
  spied) spied;;
  down) down;;
  *) sed -n '2,/^set /{/^set /d;/^# shellcheck/d;s/^# \{0,1\}//p}' "$0"; [[ $cmd == help ]];;
esac
