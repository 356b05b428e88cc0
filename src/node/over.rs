//! What a server may be found to run when it is given something else.
//!
//! Between a look at a server and the next change somebody may have changed it past Starling. So with every document goes what it may be
//! put over: what the server was given, and what is kept. Whoever gives it the document looks once more, and puts it over nothing else. One
//! window is left, from that look to the change, which Unit gives no means to close.

use std::sync::Arc;

use crate::model::document::{Document, is_factory};
use crate::model::fingerprint::Fingerprint;
use crate::model::json::{self, Value};

/// What may be overwritten, beside a server's factory default and an empty configuration, in which there is nothing to be lost.
#[derive(Debug, Clone, Default)]
pub struct Over {
    /// What the server was given.
    pub given: Vec<Document>,
    /// What it showed, and is kept.
    pub shown: Vec<Arc<Value>>,
    /// More of what is kept.
    pub kept: Vec<Fingerprint>,
}

impl Over {
    /// Whether this configuration, with the plain names of certificates, may be overwritten.
    pub fn permits(&self, running: &Value) -> bool {
        let is_known = self.given.iter().map(Document::config).chain(self.shown.iter().map(|shown| &**shown));
        let is_known = is_known.into_iter().any(|known| json::same(known, running));
        is_factory(running) || is_known || (!self.kept.is_empty() && self.kept.contains(&Fingerprint::of(running)))
    }
}
