//! Looking on: whoever checks what a fleet promises, or counts what it does, is told of everything
//! here.
//!
//! An observer sees the world between two steps and changes nothing. All methods do nothing unless
//! they are overridden.

use super::World;
use crate::node::effect::Effect;
use crate::node::input::Input;

/// Somebody who is told of every input and effect of every host.
pub trait Observer: Sized {
    /// A host has started, or started again: its node has taken in what was on disk and nothing
    /// else.
    fn started(&mut self, _world: &World<Self>, _host: usize) {}

    /// A host stops dead; its node and its disk are still as they were.
    fn crashing(&mut self, _world: &World<Self>, _host: usize) {}

    /// A host's node is about to be given this.
    fn input(&mut self, _world: &World<Self>, _host: usize, _input: &Input) {}

    /// A host's node has taken its input; what it wants done is not done yet.
    fn handled(&mut self, _world: &World<Self>, _host: usize) {}

    /// This is about to be performed for a host. What a host wanted that crashed before is never
    /// told.
    fn effect(&mut self, _world: &World<Self>, _host: usize, _effect: &Effect) {}
}

/// Nobody looks.
impl Observer for () {}
