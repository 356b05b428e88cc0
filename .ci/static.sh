#!/bin/sh
# static.sh : builds target/x86_64-unknown-linux-musl/release/starling, with no interpreter and no shared library, and proves it.
#
# Where rustup has the target this is one cargo call. Elsewhere Debian's own compiler and its copy of the standard library's
# source are used, and the standard library is built for musl along with the program: -Z build-std, which the stable compiler
# permits only under RUSTC_BOOTSTRAP. Either way a panic unwinds nothing: what cleans up after it, and the tables that lead there,
# are a quarter of the binary, and the program either ends or holds the thread that has panicked.
set -eu
cd "$(dirname "$0")/.."
target=x86_64-unknown-linux-musl
binary=target/$target/release/starling
stub=$PWD/target/static
most=3000000 # bytes
built=target # where cargo works
# Without the tables in another way, too, that the compiler leaves for whoever prints a backtrace.
flags="-C force-unwind-tables=no"
export CARGO_PROFILE_RELEASE_PANIC=abort

sh .ci/need.sh gcc:gcc readelf:binutils
if rustup target list --installed 2>/dev/null | grep -qx "$target"; then
    # Its standard library was built beforehand, for speed and to be unwound.
    most=3400000
    export CARGO_TARGET_X86_64_UNKNOWN_LINUX_MUSL_RUSTFLAGS="$flags"
    build() { cargo build --release --target "$target" --target-dir "$built" "$@"; }
else
    sh .ci/need.sh musl-gcc:musl-tools /usr/bin/rustc:rustc-web /usr/bin/cargo:cargo-web \
        /usr/lib/rustlib/src/rust/library/std:rust-web-src
    # A directory of its own: two compilers that share one trip over each other's macros.
    built=target/static
    mkdir -p "$stub"
    # The standard library asks the linker for libunwind, which musl has not: gcc's own unwinder takes its place.
    musl-gcc -O2 -Wall -c .ci/unwind.c -o "$stub/unwind.o"
    cp "$(gcc -print-file-name=libgcc_eh.a)" "$stub/libunwind.a"
    ar r "$stub/libunwind.a" "$stub/unwind.o"
    # /usr/bin first, for rustup's cargo would otherwise be found and look for its own source; nothing that an ordinary build
    # on this machine is told may be told to this one.
    PATH=/usr/bin:/bin
    export PATH RUSTC_BOOTSTRAP=1
    unset RUSTC RUSTC_WRAPPER RUSTFLAGS CARGO CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_TARGET RUSTUP_TOOLCHAIN 2>/dev/null || true
    # Debian's musl-gcc always starts from its own crt1.o, and knows no static position-independent programs.
    export CARGO_TARGET_X86_64_UNKNOWN_LINUX_MUSL_RUSTFLAGS="$flags -C linker=musl-gcc -C link-self-contained=no \
-C target-feature=+crt-static -C relocation-model=static -L native=$stub"
    build() {
        /usr/bin/cargo build --release --target "$target" --target-dir "$built" \
            -Z build-std=std,panic_abort -Z build-std-features=optimize_for_size "$@"
    }
fi

build --locked --bin starling
if [ "$built" != target ]; then
    mkdir -p "${binary%/*}"
    cp -f "$built/$target/release/starling" "$binary"
fi
readelf -h "$binary" >/dev/null
if readelf -ld "$binary" | grep -E 'INTERP|NEEDED'; then
    echo "not static: $binary" >&2
    exit 1
fi

# A program of a few lines, built in the same way, shows that a thread which has panicked can be held while the others go on.
mkdir -p "$stub/panic"
cat >"$stub/panic/Cargo.toml" <<'END'
[package]
name = "panic-is-held"
edition = "2024"
[[bin]]
name = "panic-is-held"
path = "main.rs"
[profile.release]
opt-level = "z"
lto = "fat"
codegen-units = 1
strip = true
[workspace]
END
cat >"$stub/panic/main.rs" <<'END'
fn main() {
    let (tell, told) = std::sync::mpsc::channel();
    std::panic::set_hook(Box::new(move |_| {
        tell.send(()).unwrap();
        loop {
            std::thread::park();
        }
    }));
    let thread = std::thread::spawn(|| panic!("this one is meant"));
    told.recv().unwrap();
    std::process::exit(i32::from(thread.is_finished()));
}
END
build --manifest-path "$stub/panic/Cargo.toml" --quiet
"$built/$target/release/panic-is-held" 2>/dev/null || {
    echo "a thread that has panicked is not held in a binary built this way" >&2
    exit 1
}
# What the binary may have: it is meant for flash of a few megabytes.
size=$(wc -c <"$binary")
echo "static: $binary ($size bytes)"
[ "$size" -le "$most" ] || {
    echo "that is more than the $most bytes that it may have" >&2
    exit 1
}
