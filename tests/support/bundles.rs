//! The bundles of keys and certificates that tests upload: what each is, says
//! `fixtures/bundles/README`.

use std::path::Path;

/// The text of one, by its name.
pub fn bundle(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/bundles")
        .join(name)
        .with_extension("pem");
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
