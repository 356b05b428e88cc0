//! What a server is to run, in the words of the server.
//!
//! Made of a document once for each job. The server knows certificates by their aliases, so that is how the configuration names them
//! here; whatever is shown to people is put back into plain names.

use crate::model::alias::Aliases;
use crate::model::document::Document;
use crate::model::json::Value;
use crate::model::resources::Kind;

/// A document and how a server holds it.
#[derive(Debug)]
pub(super) struct Wanted {
    document: Document,
    config: Value,
    aliases: Aliases,
}

/// Something to be uploaded.
#[derive(Clone, Copy)]
pub(super) struct Upload<'a> {
    pub(super) kind: Kind,
    /// As people call it.
    pub(super) name: &'a str,
    /// As the server calls it.
    pub(super) stored: &'a str,
    /// What it is: nothing that may be shown.
    pub(super) content: &'a str,
}

impl Wanted {
    pub(super) fn of(document: Document) -> Self {
        let aliases = Aliases::of(&document);
        Self { config: aliases.on_server(document.config()), aliases, document }
    }

    /// The document as people wrote it.
    pub(super) fn document(&self) -> &Document {
        &self.document
    }

    /// The configuration as it is sent.
    pub(super) fn config(&self) -> &Value {
        &self.config
    }

    /// The configuration as people wrote it.
    pub(super) fn plain_config(&self) -> &Value {
        self.document.config()
    }

    pub(super) fn aliases(&self) -> &Aliases {
        &self.aliases
    }

    /// All certificates and modules, certificates first.
    pub(super) fn uploads(&self) -> impl Iterator<Item = Upload<'_>> {
        Kind::ALL.into_iter().flat_map(|kind| self.uploads_of(kind))
    }

    /// Those of one kind.
    pub(super) fn uploads_of(&self, kind: Kind) -> impl Iterator<Item = Upload<'_>> {
        let held = self.document.value()[kind.member()].as_object().into_iter().flatten();
        held.filter_map(move |(name, content)| {
            let stored = match kind {
                Kind::Certificate => self.aliases.alias(name)?,
                Kind::JsModule => name,
            };
            Some(Upload { kind, name, stored, content: content.as_str()? })
        })
    }

    /// Whether it holds something of this kind.
    pub(super) fn has(&self, kind: Kind) -> bool {
        self.uploads_of(kind).next().is_some()
    }

    /// Whether it holds this, as the server calls it.
    pub(super) fn holds(&self, kind: Kind, stored: &str) -> bool {
        match kind {
            Kind::Certificate => self.aliases.name(stored).is_some(),
            Kind::JsModule => self.document.value()[kind.member()].get(stored).is_some(),
        }
    }
}
