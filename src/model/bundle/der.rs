//! DER (X.690), read strictly: what keys and certificates are written in.
//!
//! A reader walks over bytes that are borrowed and keeps nothing. Lengths are definite and as short
//! as they can be, and nothing reaches beyond what holds it. What a tag's content means is for the
//! caller.

/// The tags that keys and certificates are made of.
pub(super) mod tag {
    pub const INTEGER: u8 = 0x02;
    pub const BITS: u8 = 0x03;
    pub const OCTETS: u8 = 0x04;
    pub const OID: u8 = 0x06;
    pub const UTC_TIME: u8 = 0x17;
    pub const TIME: u8 = 0x18;
    pub const SEQUENCE: u8 = 0x30;
    pub const SET: u8 = 0x31;
    /// `[0]` to `[3]`, constructed.
    pub const FIRST: u8 = 0xa0;
    pub const SECOND: u8 = 0xa1;
    pub const FOURTH: u8 = 0xa3;
    /// `[2]`, primitive: a DNS name among a certificate's alternative names.
    pub const DNS_NAME: u8 = 0x82;
}

/// What is left to read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Der<'a>(pub &'a [u8]);

impl<'a> Der<'a> {
    /// The next element: its tag and its content.
    pub fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&[tag, first], rest) = self.0.split_first_chunk()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81..=0x84 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                let length = bytes
                    .iter()
                    .fold(0_usize, |length, byte| length << 8 | usize::from(*byte));
                let is_shortest = length >= 0x80 && bytes[0] != 0;
                (is_shortest.then_some(length)?, rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        let is_one_byte_tag = tag & 0x1f != 0x1f;
        self.0 = rest;
        is_one_byte_tag.then_some((tag, content))
    }

    /// The content of the next element, which must have this tag.
    pub fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next()
            .filter(|(found, _)| *found == tag)
            .map(|(_, content)| content)
    }

    /// A reader of the elements in the next element, which must have this tag.
    pub fn open(&mut self, tag: u8) -> Option<Der<'a>> {
        self.take(tag).map(Der)
    }

    /// The content of the next element if it has this tag; otherwise nothing is read.
    pub fn take_if(&mut self, tag: u8) -> Option<&'a [u8]> {
        let mut ahead = *self;
        let content = ahead.take(tag)?;
        *self = ahead;
        Some(content)
    }

    /// The magnitude of the next element, an integer that is not negative.
    pub fn number(&mut self) -> Option<&'a [u8]> {
        let bytes = self.take(tag::INTEGER)?;
        match bytes {
            [] | [0x80..=0xff, ..] => None,
            [0, rest @ ..] if !rest.is_empty() => Some(rest),
            _ => Some(bytes),
        }
    }

    /// The whole bytes of the next element, a string of bits.
    pub fn bits(&mut self) -> Option<&'a [u8]> {
        self.take(tag::BITS)?.strip_prefix(&[0])
    }

    /// Whether everything is read.
    pub fn is_done(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_read_one_after_another_and_never_beyond_the_end() {
        let mut der = Der(&[0x02, 1, 5, 0x30, 0x81, 0x80]);
        assert_eq!(der.number(), Some(&[5][..]));
        assert_eq!(der.next(), None, "the content is missing");
        let long = [&[0x04, 0x81, 0x80][..], &[7; 0x80]].concat();
        assert_eq!(Der(&long).take(tag::OCTETS), Some(&[7; 0x80][..]));
    }

    #[test]
    fn what_is_not_written_the_one_way_is_refused() {
        for bytes in [
            &[0x02][..],
            &[0x02, 0x80, 1, 0, 0],                // no end named
            &[0x02, 0x81, 1, 5],                   // a length that is longer than it need be
            &[0x02, 0x82, 0, 1, 5],                // likewise
            &[0x02, 0x85, 0, 0, 0, 0, 1, 5],       // longer than anything here
            &[0x02, 0x84, 0xff, 0xff, 0xff, 0xff], // beyond the end
            &[0x1f, 1, 0],                         // a tag of several bytes
        ] {
            assert_eq!(Der(bytes).next(), None, "{bytes:?}");
        }
        assert_eq!(Der(&[0x02, 1, 0xff]).number(), None, "negative");
        assert_eq!(Der(&[0x02, 2, 0, 0xff]).number(), Some(&[0xff][..]));
        assert_eq!(Der(&[0x03, 2, 1, 0xfe]).bits(), None, "a broken byte");
    }

    #[test]
    fn what_may_be_left_out_is_not_read_over() {
        let mut der = Der(&[0x02, 1, 5]);
        assert_eq!(der.take_if(tag::OCTETS), None);
        assert_eq!(der.take_if(tag::INTEGER), Some(&[5][..]));
        assert!(der.is_done());
    }
}
