# How Starling is built, tried and installed; README.md says more.
.POSIX:
.PHONY: all test sim fuzz teeth mutants static demo bench bench-quick ci install uninstall clean

CARGO = cargo
PREFIX = /usr/local
DESTDIR =
# What `make install` installs; after `make static` this may be $(STATIC).
BINARY = target/release/starling
STATIC = target/x86_64-unknown-linux-musl/release/starling

all:
	$(CARGO) build --release --locked --bin starling

# Tests of several hosts that lack a program or namespaces say so and are skipped; under STARLING_TEST_REQUIRE=all they fail instead.
test:
	-@sh .ci/need.sh ip:iproute2 nft:nftables faketime:faketime strace:strace python3:python3 ethtool:ethtool
	PATH="$$PATH:/usr/sbin:/sbin" $(CARGO) test --locked --no-fail-fast

# Simulated fleets under faults, one for each of so many seeds; a run that fails says how it is had again.
SEEDS = 1000
sim:
	SEEDS=$(SEEDS) $(CARGO) test --locked --test sim -- --skip mesh:: --nocapture

# Every decoder, and a fleet with a member that says anything, fed by chance for so long; TARGETS names some. What fails names its seed.
SECONDS = 60
fuzz:
	$(CARGO) run --profile fuzz --locked --example fuzz -- --seconds $(SECONDS) $(TARGETS)

# Whether the simulator notices each of the deliberate faults in tests/teeth; FAULTS names some.
teeth:
	sh .ci/need.sh patch:patch
	sh tests/teeth/run.sh $(FAULTS)

# Whether the tests notice small changes of the pure part; hours. MUTANTS takes options such as --shard 1/50 or -f src/node/rebase.rs.
mutants:
	@cargo-mutants --version >/dev/null || { echo "missing: cargo-mutants (cargo install --locked cargo-mutants)" >&2; exit 1; }
	$(CARGO) mutants -o target -f 'src/model/**' -f 'src/node/**' $(MUTANTS) -- --locked --lib --test sim

# One file that runs on any x86-64 Linux: musl, no interpreter, no shared library.
static:
	sh .ci/static.sh

# Several daemons on this host, each in front of a stand-in for NGINX Unit. Both are built in a profile of their own, which is quick.
demo:
	@sh .ci/need.sh curl:curl && echo "building the demo: half a minute on two idle cores, the first time"
	@$(CARGO) build --profile demo --locked --bin starling --example unit-standin
	@sh tests/demo.sh target/demo/starling target/demo/examples/unit-standin

# What people feel, beside its goals, in ten quiet minutes. PEERS=1 measures two brokers as well; BENCH may be --quick or --hosts 2,5.
bench: all
	sh .ci/need.sh ip:iproute2 nft:nftables $(PEERS:1=nats-server:nats-server etcd:etcd-server)
	$(CARGO) build --release --locked --example unit-standin
	PATH="$$PATH:/usr/sbin:/sbin" $(CARGO) run --release --locked --example bench -- $(PEERS:1=--peers) $(BENCH)

# Copies, frames and bytes of a change in virtual time: none may grow by more than a tenth over what is kept in tests/bench/counts.json.
bench-quick:
	$(CARGO) build --locked --bin starling && $(CARGO) run --quiet --locked --example bench -- --counts

# What is asked of a change beside `make test`.
ci:
	sh .ci/need.sh mandoc:mandoc curl:curl
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	mandoc -T lint man/*.[1-8]
	$(MAKE) bench-quick static
	sh tests/smoke.sh $(STATIC)

install:
	install -d $(DESTDIR)$(PREFIX)/bin
	install -m 755 $(BINARY) $(DESTDIR)$(PREFIX)/bin/starling
	for page in man/*.[1-8]; do section=$(DESTDIR)$(PREFIX)/share/man/man$${page##*.}; \
		install -d $$section && install -m 644 $$page $$section || exit 1; done

uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/starling
	for page in man/*.[1-8]; do rm -f $(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/$${page##*/} || exit 1; done

clean:
	$(CARGO) clean
