//! The values that one place gives for one option, before anybody has judged them.
//!
//! A place is a flag or a member of the settings file; messages name it.

use super::table::Opt;

/// The values for one option, from one place; at least one.
pub(super) struct Given {
    pub option: &'static Opt,
    pub texts: Vec<String>,
    /// The file and the member, or nothing for a flag.
    pub member: Option<(String, String)>,
}

impl Given {
    /// The place of the value with this index, for messages.
    pub fn place(&self, index: usize) -> String {
        match &self.member {
            None => format!("--{}", self.option.name),
            Some((file, member)) if self.option.is_list() => {
                format!("{file}: \"{member}\"[{index}]")
            }
            Some((file, member)) => format!("{file}: \"{member}\""),
        }
    }
}
