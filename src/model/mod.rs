//! What is replicated: records and their meaning, as values and bytes.
//!
//! Everything here is a pure function of its input. A [`record`] is signed by its author; a
//! [`revision`] is a record that carries a [`document`] with one edit applied; its [`ledger`] says
//! which edits it contains. Nothing here knows of links, files or time.

pub mod alias;
pub mod aliases;
pub mod bundle;
pub mod conflict;
pub(crate) mod date;
pub mod delta;
pub(crate) mod difference;
pub mod digest;
pub mod document;
pub mod edit;
pub(crate) mod error_body;
pub mod fingerprint;
pub mod json;
pub mod ledger;
pub mod merge;
pub(crate) mod name;
pub mod operation;
pub mod overlay;
pub mod patch;
pub mod path;
pub mod peer_id;
pub(crate) mod places;
pub mod proof;
pub mod record;
pub(crate) mod replay;
pub mod resources;
pub mod revision;
pub mod shown;
pub mod signature;
pub mod stamp;
