//! Secrets from the operating system: the one door to `getrandom`.
//!
//! Keys are drawn here when a fleet is founded or joined, and at each start the run number, the
//! static key of handshakes and the seed of all jitter. The node never draws: it has that one seed,
//! so that a run can be repeated.

use std::io;

/// `N` bytes that nobody can guess. Waits, at the machine's first start, until the kernel has
/// gathered enough; an error means that the kernel offers none, and that no key must be made.
pub fn bytes<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| io::Error::other(format!("no randomness from the system: {error}")))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    #[test]
    fn no_two_secrets_are_alike() {
        assert_ne!(super::bytes::<32>().unwrap(), super::bytes::<32>().unwrap());
    }
}
