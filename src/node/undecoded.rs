//! A document record with what its body is to be made of.
//!
//! Decoding is a function of these bytes alone, so it may be done beside the loop, see `exchange`.
//! Nothing here believes the sender: a body that is not the one its header names is a fault.

use std::sync::Arc;

use crate::model::delta;
use crate::model::record::Record;
use crate::model::revision::Revision;

/// A document record and what its body is to be made of.
#[derive(Debug)]
pub struct Undecoded {
    pub(in crate::node) record: Record,
    pub(in crate::node) body: Body,
}

/// How a body came.
pub(in crate::node) enum Body {
    /// As it is.
    Whole(Vec<u8>),
    /// As a delta against this one.
    Delta {
        /// The body of another revision.
        base: Arc<[u8]>,
        /// As it came.
        delta: Vec<u8>,
    },
}

impl std::fmt::Debug for Body {
    /// By its length: there may be private keys in it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Whole(body) => write!(f, "{} bytes", body.len()),
            Self::Delta { delta, .. } => write!(f, "a delta of {} bytes", delta.len()),
        }
    }
}

impl Undecoded {
    /// The revision, or in what way its body is a fault of whoever sent it. Of a delta no more is
    /// made than the header names, which is bounded.
    pub fn decode(self) -> Result<Arc<Revision>, String> {
        let Self { record, body } = self;
        let body = match body {
            Body::Whole(body) => body,
            Body::Delta { base, delta } => {
                delta::apply(&base, &delta, record.header.body_len as usize)
                    .map_err(|error| error.to_string())?
            }
        };
        if !record.matches(&body) {
            return Err("a body that is not the one its header names".into());
        }
        Revision::decode(record, body.into())
            .map(Arc::new)
            .map_err(|error| error.to_string())
    }

    /// Bytes of the body.
    pub fn len(&self) -> usize {
        self.record.header.body_len as usize
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
