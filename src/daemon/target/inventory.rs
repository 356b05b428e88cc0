//! The inventory of certificates and modules on the server: which a document lacks there,
//! uploading these, and removing those that are not needed any more.
//!
//! A certificate is stored there under its internal name (`model::alias`), so one that is there is
//! the right one, and a new bundle never touches the old. A module has its plain name, for
//! templates refer to it; one with another source has to be replaced (`replacing`). Only what is
//! Starling's own for certain is removed: internal names that this state directory has given, and
//! modules that a document had which this thread has put. A key cannot be read back from a server,
//! so what another state directory has left there stays.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use super::{TargetWorker, reason};
use crate::daemon::unit::{
    Control, Reply, RequestFailure, ResourceList, ResourceState, resource_path,
};
use crate::limits::{COPIES_KEPT, LEFT_SHOWN};
use crate::model::alias::is_alias;
use crate::model::aliases::Aliases;
use crate::model::document::Document;
use crate::model::error_body::ErrorBody;
use crate::model::json::Value;
use crate::model::resources::{self, Named, ResourceKind};
use crate::node::input::{Outcome, Refusal};

/// A document as it is to be on the server.
pub(super) struct WantedDocument {
    pub(super) document: Document,
    pub(super) aliases: Aliases,
    /// Certificates and modules: they are looked at every time, and the configuration is not.
    held: [Value; ResourceKind::ALL.len()],
    /// The configuration with internal names, where there are some and somebody has asked.
    renamed: OnceLock<Value>,
}

impl WantedDocument {
    pub(super) fn new(document: Document) -> Self {
        let aliases = Aliases::of(&document);
        let held = ResourceKind::ALL.map(|kind| document.value()[kind.member()].clone());
        Self {
            document,
            aliases,
            held,
            renamed: OnceLock::new(),
        }
    }

    /// The document's configuration, with internal names in it.
    pub(super) fn config(&self) -> &Value {
        match self.aliases.is_empty() {
            true => self.document.config(),
            false => self
                .renamed
                .get_or_init(|| self.aliases.on_server(self.document.config().clone())),
        }
    }

    /// Frees the memory that the values of the configuration take.
    pub(super) fn fold(&mut self) {
        if self.document.is_unfolded() {
            self.document = self.document.folded();
            self.renamed = OnceLock::new();
        }
    }

    /// The document's resources of a kind: the name in the document, the name on the server, the
    /// text.
    pub(super) fn held(&self, kind: ResourceKind) -> impl Iterator<Item = (&str, &str, &str)> {
        let held = ResourceKind::ALL
            .into_iter()
            .zip(&self.held)
            .filter(move |(of, _)| *of == kind);
        held.filter_map(|(_, members)| members.as_object())
            .flatten()
            .filter_map(move |(name, text)| {
                let there = match kind {
                    ResourceKind::Certificate => self.aliases.alias(name)?,
                    ResourceKind::JsModule => name,
                };
                Some((name.as_str(), there, text.as_str()?))
            })
    }

    fn names(&self, kind: ResourceKind) -> BTreeSet<&str> {
        match kind {
            ResourceKind::Certificate => resources::certificates(self.document.config()),
            ResourceKind::JsModule => resources::js_modules(self.document.config()),
        }
    }

    fn has(&self, kind: ResourceKind) -> bool {
        self.held(kind).next().is_some()
    }

    fn needs(&self, named: &Named) -> bool {
        self.held(named.kind).any(|(_, name, _)| name == named.name)
    }
}

/// The lists of the server's certificates and modules, as far as somebody has asked for them.
#[derive(Debug, Clone, Default)]
pub(super) struct ResourceLists(Vec<(ResourceKind, ResourceList)>);

impl ResourceLists {
    pub(super) fn of(&self, kind: ResourceKind) -> Option<&ResourceList> {
        self.0
            .iter()
            .find(|(of, _)| *of == kind)
            .map(|(_, resource_list)| resource_list)
    }

    pub(super) fn are_like(&self, before: &Self) -> bool {
        let alike = |((kind, now), (was, then)): (
            &(ResourceKind, ResourceList),
            &(ResourceKind, ResourceList),
        )| { kind == was && now.is_like(then) };
        self.0.len() == before.0.len() && self.0.iter().zip(&before.0).all(alike)
    }
}

/// A certificate or module that the server lacks, or has with another content.
pub(super) struct Lacking {
    pub(super) kind: ResourceKind,
    /// The name that the resource has in the document.
    pub(super) plain: String,
    /// The name that the resource has on the server.
    pub(super) name: String,
    pub(super) text: String,
    /// Whether the server has another content under this name, which goes for modules only.
    pub(super) is_other: bool,
    /// The source of the other one, if it could be read.
    pub(super) other: Option<String>,
}

impl TargetWorker {
    /// Reads the lists that have to be known before a change to `wanted`.
    pub(super) fn take_inventory(
        &self,
        wanted: &WantedDocument,
    ) -> Result<ResourceLists, RequestFailure> {
        let has = |kind: &ResourceKind| {
            wanted.has(*kind) || self.taken.as_ref().is_some_and(|taken| taken.has(*kind))
        };
        self.lists(
            &ResourceKind::ALL
                .into_iter()
                .filter(has)
                .collect::<Vec<_>>(),
        )
    }

    /// Looks once for what an earlier run of this program left on the server. That is known by its
    /// name, which is remembered, but only of certificates. A host whose documents have never had
    /// any pays this one request, after its first change.
    pub(super) fn find_leftovers(&mut self, lists: &ResourceLists) {
        if self.has_found_leftovers {
            return;
        }
        if let Some(left) = lists.of(ResourceKind::Certificate) {
            self.has_found_leftovers = !matches!(left, ResourceList::Cut { .. });
        } else if let Ok(left) = self.lists(&[ResourceKind::Certificate]) {
            self.has_found_leftovers = true;
            self.remove_unneeded(&left);
        }
    }

    pub(super) fn lists(&self, kinds: &[ResourceKind]) -> Result<ResourceLists, RequestFailure> {
        kinds
            .iter()
            .map(|kind| Ok((*kind, self.unit.resource_list(*kind)?)))
            .collect::<Result<_, _>>()
            .map(ResourceLists)
    }

    /// The resources of `wanted` that have to be uploaded. A server that can have none of a kind
    /// lacks nothing if the configuration names none.
    pub(super) fn lacking(
        &self,
        wanted: &WantedDocument,
        lists: &ResourceLists,
    ) -> Result<Vec<Lacking>, Outcome> {
        let mut lacking = Vec::new();
        for kind in ResourceKind::ALL {
            let Some(resource_list) = lists.of(kind) else {
                continue;
            };
            if matches!(resource_list, ResourceList::Absent) {
                let names = wanted.names(kind);
                match wanted.held(kind).find(|(plain, ..)| names.contains(plain)) {
                    Some((plain, ..)) => return Err(built_without(kind, plain)),
                    None => continue,
                }
            }
            for (plain, name, text) in wanted.held(kind) {
                let resource_state = self.unit.resource_state(resource_list, kind, name, text);
                let resource_state =
                    resource_state.map_err(|failure| Outcome::Unreachable(failure.to_string()))?;
                if resource_state != ResourceState::There {
                    let is_other = resource_state == ResourceState::Other;
                    let other = match resource_list {
                        ResourceList::Whole(_, members) => {
                            members.get(name).and_then(Value::as_str).map(str::to_owned)
                        }
                        _ => None,
                    };
                    let [plain, name, text] = [plain, name, text].map(str::to_owned);
                    lacking.push(Lacking {
                        kind,
                        plain,
                        name,
                        text,
                        is_other,
                        other,
                    });
                }
            }
        }
        Ok(lacking)
    }

    /// Uploads a resource. An upload without an answer has been made if the server shows it.
    pub(super) fn upload(&self, lacking: &Lacking, aliases: &Aliases) -> Result<(), Outcome> {
        let Lacking {
            kind,
            plain,
            name,
            text,
            ..
        } = lacking;
        let is_there = || {
            self.unit
                .resource_state(&ResourceList::UNREAD, *kind, name, text)
                == Ok(ResourceState::There)
        };
        match self.unit.upload(*kind, name, text) {
            Ok(Reply { status: 200, .. }) => Ok(()),
            Ok(_) if is_there() => Ok(()),
            Ok(Reply { status, body, .. }) => {
                let why = match kind {
                    ResourceKind::Certificate => format!(": {}", reason::of_bundle(text)),
                    // Of a source the server says itself what is wrong.
                    ResourceKind::JsModule => String::new(),
                };
                let reason = format!("the server does not take {}{why}", called(*kind, plain));
                Err(Outcome::Refused(Refusal {
                    status,
                    body: aliases.plain_words(&body),
                    reason,
                }))
            }
            Err(RequestFailure::Unreachable(why)) => Err(Outcome::Unreachable(why)),
            Err(_) if is_there() => Ok(()),
            Err(failure) => Err(Outcome::Unreachable(format!(
                "{failure}, on uploading {}",
                called(*kind, plain)
            ))),
        }
    }

    /// Removes what only earlier documents needed, once the server runs the present one. What
    /// cannot be removed now is tried again later.
    pub(super) fn remove_unneeded(&mut self, lists: &ResourceLists) {
        let Some(taken) = &self.taken else { return };
        let mut unneeded: Vec<Named> = self
            .to_remove
            .iter()
            .filter(|named| !taken.needs(named))
            .cloned()
            .collect();
        let own = self
            .unneeded_on(lists)
            .filter(|named| self.given.has(&named.name) && !self.to_remove.contains(named));
        unneeded.extend(own);
        let copies = self.given.copies();
        let copies = copies[..copies.len().saturating_sub(COPIES_KEPT)].iter();
        let copies = copies.map(|name| Named {
            kind: ResourceKind::JsModule,
            name: name.clone(),
        });
        let copies: Vec<Named> = copies.filter(|named| !taken.needs(named)).collect();
        unneeded.extend(
            copies
                .iter()
                .filter(|named| !self.to_remove.contains(named))
                .cloned(),
        );
        self.to_remove.clear();
        self.discard(unneeded);
        copies
            .iter()
            .filter(|named| !self.to_remove.contains(named))
            .for_each(|named| self.given.forget_copy(&named.name));
        self.report_left(lists);
    }

    /// Certificates that lie there under names which only Starling gives, and that the document
    /// does not need.
    fn unneeded_on(&self, lists: &ResourceLists) -> impl Iterator<Item = Named> {
        let members = match lists.of(ResourceKind::Certificate) {
            Some(ResourceList::Whole(_, members)) => Some(members),
            _ => None,
        };
        let own = members
            .into_iter()
            .flatten()
            .map(|(name, _)| name)
            .filter(|name| is_alias(name));
        let own = own.map(|name| Named {
            kind: ResourceKind::Certificate,
            name: name.clone(),
        });
        own.filter(|named| !self.taken.as_ref().is_some_and(|taken| taken.needs(named)))
    }

    /// Whoever gave the others their names may have had the last copy of their keys: they are left,
    /// and that is said.
    pub(super) fn report_left(&mut self, lists: &ResourceLists) {
        // Where there are no certificates at all none is left.
        if !matches!(
            lists.of(ResourceKind::Certificate),
            Some(ResourceList::Whole(..) | ResourceList::Absent)
        ) {
            return;
        }
        let left: Vec<String> = self
            .unneeded_on(lists)
            .map(|named| named.name)
            .filter(|name| !self.given.has(name))
            .collect();
        let left = (!left.is_empty()).then(|| left_words(&left, self.unit.control()));
        if self.left != left {
            left.iter()
                .for_each(|left| log::warn!(target: "server", "{left}"));
            self.left = left;
        }
    }

    /// Removes these, and remembers those that cannot be removed now.
    pub(super) fn discard(&mut self, unneeded: Vec<Named>) {
        for named in unneeded {
            let why = match self.unit.remove(named.kind, &named.name) {
                Ok(Reply {
                    status: 200 | 404, ..
                }) => continue,
                Ok(Reply { body, .. }) => words(&body),
                Err(failure) => failure.to_string(),
            };
            let what = called(named.kind, &named.name);
            log::warn!(target: "server", "{what} is not needed any more and cannot be taken from the server yet: {why}");
            self.to_remove.insert(named);
        }
    }

    /// The paths of the resources that the last document has and the server lacks.
    pub(super) fn missing(&self, lists: &ResourceLists) -> Result<Vec<String>, RequestFailure> {
        let mut missing = Vec::new();
        let Some(taken) = &self.taken else {
            return Ok(missing);
        };
        for (kind, resource_list) in lists
            .0
            .iter()
            .filter(|(_, resource_list)| !matches!(resource_list, ResourceList::Absent))
        {
            for (plain, name, text) in taken.held(*kind) {
                if self.unit.resource_state(resource_list, *kind, name, text)?
                    != ResourceState::There
                {
                    missing.extend(kind.path(plain).map(|path| path.to_string()));
                }
            }
        }
        Ok(missing)
    }

    /// The kinds that an observation has to look at: those of the document, and what somebody has
    /// been asked to take away.
    pub(super) fn watched(&self) -> Vec<ResourceKind> {
        let is_left = |kind: ResourceKind| kind == ResourceKind::Certificate && self.left.is_some();
        let has = |kind: ResourceKind| self.taken.as_ref().is_some_and(|taken| taken.has(kind));
        ResourceKind::ALL
            .into_iter()
            .filter(|kind| has(*kind) || is_left(*kind))
            .collect()
    }
}

/// A server that was built without TLS or without njs answers as if it had never heard of them.
fn built_without(kind: ResourceKind, plain: &str) -> Outcome {
    let lacks = match kind {
        ResourceKind::Certificate => "this host's server was built without TLS",
        ResourceKind::JsModule => "this host's server was built without njs",
    };
    Outcome::Refused(Refusal::invalid(
        &format!("{kind} \"{plain}\" cannot be used: {lacks}."),
        lacks,
    ))
}

/// What is said of certificates that are left, with what to do about the first.
fn left_words(names: &[String], control: &Control) -> String {
    let shown: Vec<String> = names
        .iter()
        .take(LEFT_SHOWN)
        .map(|name| format!("{name:?}"))
        .collect();
    let more = names.len().saturating_sub(LEFT_SHOWN);
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    let path = resource_path(ResourceKind::Certificate.member(), &names[0]);
    let whole = match control {
        Control::Unix(socket) => format!(
            "--unix-socket {} 'http://localhost{path}'",
            socket.display()
        ),
        Control::Tcp(address) => format!("'http://{address}{path}'"),
    };
    format!(
        "on the server lie certificates that another fleet, or this host with another state \
         directory, has put there: {}{more}; they are left, for their keys cannot be read back; \
         where nobody needs one, take it away with: curl -X DELETE {whole}",
        shown.join(", ")
    )
}

/// The name of a certificate or module, for people.
pub(super) fn called(kind: ResourceKind, name: &str) -> String {
    match kind {
        ResourceKind::Certificate => format!("certificate {name:?}"),
        ResourceKind::JsModule => format!("JS module {name:?}"),
    }
}

/// The error of the server's refusal, on one line.
pub(super) fn words(body: &[u8]) -> String {
    ErrorBody::read(body).map_or_else(
        || "an answer that cannot be read".to_owned(),
        |body| body.error,
    )
}
