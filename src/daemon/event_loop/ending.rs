//! How the loop ends: peers hear goodbye, and what is under way is let out.
//!
//! Each step is bounded: the process ends within the patience of the thread `signal`, whatever
//! peers and disks do.

use super::{Loop, LoopParts};
use crate::limits::LINK_LINGER;

impl Loop {
    /// Lets what is queued for peers go out, for as long as that takes a link that is being closed.
    fn say_goodbye(&mut self) {
        self.parts.links.close_all();
        while !self.parts.links.is_empty() {
            self.parts.links.flush();
            if self.parts.links.wait(LINK_LINGER).is_err() {
                return;
            }
            while self.parts.links.next_event().is_some() {}
        }
    }

    /// Says goodbye, and lets what is under way end: answers, writes, frames.
    pub(super) fn stop(mut self) {
        self.parts.pulse.end();
        let mut effects = Vec::new();
        self.parts.node.leave(&mut effects);
        effects.into_iter().for_each(|effect| self.perform(effect));
        self.say_goodbye();
        let LoopParts {
            gate,
            discovery,
            listener,
            disk,
            queue,
            ..
        } = self.parts;
        drop((listener, self.clients));
        gate.stop();
        drop((discovery, queue));
        if !disk.stop() {
            log::warn!(target: "daemon", "the disk did not finish in time");
        }
        log::info!(target: "daemon", "stopped");
    }
}
