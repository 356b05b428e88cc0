//! What a server may be found to run when it is given something else.
//!
//! Between a look at a server and the next change somebody may have changed it past Starling. So
//! with every document goes what it may be put over: what the server was given, and what is kept.
//! Whoever gives it the document looks once more, and puts it over nothing else. One
//! window is left, from that look to the change, which Unit gives no means to close.

use crate::model::document::Document;
use crate::model::fingerprint::Fingerprint;
use crate::model::json::{Map, Value};

/// What may be overwritten, beside a server's factory default and an empty configuration, in which
/// there is nothing to be lost.
#[derive(Debug, Clone, Default)]
pub struct Over {
    /// What the server was given, and what is kept of what it ran.
    pub known: Vec<Fingerprint>,
}

impl Over {
    /// Whether a configuration that is known by this may be overwritten.
    pub fn permits(&self, running: &Fingerprint) -> bool {
        let is_nothing = || {
            [
                Document::factory().fingerprint(),
                Fingerprint::of(&Value::Object(Map::new())),
            ]
            .contains(running)
        };
        self.known.contains(running) || is_nothing()
    }
}
