//! Whether and how a client's change can be made: what it becomes on the present head, or why it is
//! refused.
//!
//! Nothing here changes anything. A plan is made when the change's turn has come, and made anew
//! when the head has moved meanwhile.

use super::Below;
use super::if_match::check_if_match;
use super::planned::Plan;
use super::request::{Request, Wish};
use super::uploads::{check_upload, success};
use crate::limits::{OPEN_MAX, SHORT_ID_MIN};
use crate::model::difference::difference;
use crate::model::document::{Document, is_factory};
use crate::model::edit::{self, Op};
use crate::model::json::{self, Map, Value};
use crate::model::ledger::EditRef;
use crate::model::operation::operations;
use crate::model::patch::{self, PatchError};
use crate::model::path::Path;
use crate::node::answer::Answer;
use crate::node::applied::Applied;
use crate::node::context::Context;
use crate::node::local::effective::effective_document;
use crate::node::refusal::{Denial, FleetState, LimitReached, RequestFault, ServerFault};
use crate::node::store::Store;
use crate::node::store::places::all_places_taken;

impl Below<'_> {
    /// Whether and how a change can be made on the present head.
    pub(in crate::node) fn plan(&self, request: &Request) -> Result<Plan, Answer> {
        let head = self.store.head(self.cx);
        let settles = settled_by(self.store, self.cx, &request.settles)?;
        if !matches!(request.wish, Wish::Repair) {
            // Whatever else is open, what a whole group can be cured with is never refused.
            self.may_write(!settles.is_empty() || matches!(request.wish, Wish::Restore(..)))?;
        }
        check_if_match(request.if_match.as_deref(), head.map(|head| head.id()))?;
        let mut plan = match &request.wish {
            Wish::Change(op) => self.plan_change(op)?,
            Wish::Patch(path, patch) => self.plan_edited(|before| patch.edit(before, path))?,
            Wish::Local { force } => self.plan_local(*force)?,
            Wish::Restore(document, path) => self.plan_restore(document, path)?,
            Wish::Settle(ops) => self.plan_settling(ops)?,
            Wish::Adopt(changes) => self.plan_adoption(changes)?,
            Wish::Repair => return Err(self.plan_repair()),
        };
        plan.settles = settles;
        self.check_names(&request.wish, &plan)?;
        if request.is_dry {
            return self.may_dry_run(&plan.after).map(|()| plan);
        }
        match head {
            Some(head) if head.document.text() == plan.after.text() && plan.settles.is_empty() => {
                Err(self
                    .local
                    .nothing_changed(success(&request.wish), head.id()))
            }
            _ => Ok(plan),
        }
    }

    /// PUT, POST or DELETE, as Unit has them; but a POST of an object onto an object adds its
    /// members.
    fn plan_change(&self, op: &Op) -> Result<Plan, Answer> {
        let before = self.local.base_document(self.cx, self.store)?;
        check_upload(&before, op)?;
        if let Some(members) = members_for(&before, op) {
            return self.plan_edited(|before| patch::add_members(before, &op.path, members));
        }
        let after = edit::apply(&before, op).map_err(Answer::Edit)?;
        Ok(Plan {
            ops: vec![op.clone()],
            before,
            after,
            settles: Vec::new(),
        })
    }

    /// A change that says for itself what it comes to on a document.
    fn plan_edited(
        &self,
        edit: impl FnOnce(&Document) -> Result<(Vec<Op>, Document), PatchError>,
    ) -> Result<Plan, Answer> {
        let before = self.local.base_document(self.cx, self.store)?;
        let (ops, after) = edit(&before).map_err(|error| unfit(self.store, self.cx, error))?;
        Ok(Plan {
            ops,
            before,
            after,
            settles: Vec::new(),
        })
    }

    fn may_write(&self, settles: bool) -> Result<(), Answer> {
        let group = self.store.replica.group(&self.cx.setup.group);
        let denial = match self.local.server.verdict() {
            _ if !self.exchange.joined => Denial::from(FleetState::NotInStep),
            _ if self.store.head(self.cx).is_none() && self.store.replica.is_full() => {
                Denial::from(LimitReached::GroupsKept {
                    reason: all_places_taken(),
                })
            }
            _ if !settles && group.is_some_and(|group| group.unsettled() >= OPEN_MAX) => {
                LimitReached::ConflictsOpen.into()
            }
            None if self.peers.live_server(self.cx).is_some() => ServerFault::NoneToTry {
                other: self.peers.live_server(self.cx),
            }
            .into(),
            _ => return Ok(()),
        };
        Err(denial.into())
    }

    /// What the server runs, as a change made on what was last applied here.
    fn plan_local(&self, force: bool) -> Result<Plan, Answer> {
        let Some(config) = self.local.server.observed() else {
            let has_server = self.local.server.is_present();
            return Err(Denial::from(ServerFault::NothingToPublish { has_server }).into());
        };
        let Some(head) = self.store.head(self.cx) else {
            let before = Document::factory();
            let after = self.local.base_document(self.cx, self.store)?;
            let op = Op {
                path: Path::config(),
                change: edit::Change::Put(after.config().clone()),
            };
            return Ok(Plan {
                ops: vec![op],
                before,
                after,
                settles: Vec::new(),
            });
        };
        if is_factory(config) && !is_factory(head.document.config()) && !force {
            return Err(Denial::from(ServerFault::FactoryDefault).into());
        }
        let applied = self.local.server.applied();
        let Some(applied) =
            applied.filter(|applied| applied.id == head.id() || !self.local.server.is_untried())
        else {
            return Err(Denial::from(ServerFault::NothingApplied).into());
        };
        let ops = difference(&Path::config(), applied.effective.config(), config);
        let collides = |op: &Op| {
            let path = Some(op.path.clone());
            Answer::from(FleetState::Collides { path }.at(Some(head.id())))
        };
        check_is_shared(self.cx, applied, &ops, config)?;
        let found = operations(&applied.document, &ops);
        let changed = ops
            .iter()
            .zip(&found)
            .find(|(op, operation)| !edit::still_there(&head.document, op, &operation.found));
        if let Some((op, _)) = changed {
            return Err(collides(op));
        }
        let after =
            edit::apply_all(&head.document, &ops).map_err(|(place, _)| collides(&ops[place]))?;
        Ok(Plan {
            ops,
            before: head.document.clone(),
            after,
            settles: Vec::new(),
        })
    }
}

/// The members that a POST adds to an object. To the configuration itself none are added: Unit
/// refuses that too.
fn members_for<'a>(before: &Document, op: &'a Op) -> Option<&'a Map<String, Value>> {
    let edit::Change::Append(Value::Object(members)) = &op.change else {
        return None;
    };
    let is_onto_object =
        before.get(&op.path).is_some_and(Value::is_object) && op.path.tokens().len() > 1;
    is_onto_object.then_some(members)
}

fn unfit(store: &Store, cx: &Context, error: PatchError) -> Answer {
    let reason = error.to_string();
    let fault = match error {
        PatchError::Edit(error) => return Answer::Edit(error),
        PatchError::Exists(_) => RequestFault::ValueExists { reason },
        PatchError::Misfit(misfit) if misfit.is_failed_test() => RequestFault::TestFails { reason },
        PatchError::Misfit(_) => RequestFault::PatchMisfit { reason },
    };
    fault.at(store.head(cx).map(|head| head.id())).into()
}

/// The open conflicts that a client names.
fn settled_by(store: &Store, cx: &Context, named: &[String]) -> Result<Vec<EditRef>, Denial> {
    let open: Vec<EditRef> = store
        .head(cx)
        .into_iter()
        .flat_map(|head| head.open.keys().copied())
        .collect();
    let mut settles = Vec::new();
    for name in named {
        let matching: Vec<EditRef> = open
            .iter()
            .filter(|edit| name == "*" || edit.id.to_string().starts_with(name))
            .copied()
            .collect();
        if name != "*" && (matching.len() != 1 || name.len() < SHORT_ID_MIN) {
            let fault = RequestFault::NotOneConflict {
                beginning: name.clone(),
                count: matching.len(),
            };
            return Err(fault.at(store.head(cx).map(|head| head.id())));
        }
        settles.extend(matching);
    }
    settles.dedup();
    Ok(settles)
}

/// What differs must not lie where this host's overlay or variables act: others would get what
/// is this host's own, or this host would not get back what it runs. So none of it may
/// touch such a place, and what was applied with these changes, and the overlay on top, must
/// come to what runs.
fn check_is_shared(
    cx: &Context,
    applied: &Applied,
    ops: &[Op],
    config: &Value,
) -> Result<(), Answer> {
    let is_own = cx
        .setup
        .overlay
        .apply(&applied.document)
        .map_or(true, |effective| {
            ops.iter().any(|op| effective.is_own(&op.path.to_string()))
        });
    let changed = edit::apply_all(&applied.document, ops)
        .ok()
        .and_then(|changed| effective_document(cx, &changed).ok());
    if !is_own && changed.is_some_and(|changed| json::same(changed.config(), config)) {
        return Ok(());
    }
    Err(Denial::from(ServerFault::IsOwn { path: None }).into())
}
