//! Which server this host has, as the `Server` header of its answers says.
//!
//! NGINX Unit and FreeUnit both call themselves `Unit/VERSION`. NGINX Unit ended with 1.35.0, so
//! every later version is FreeUnit's. It matters where Starling answers in the server's place:
//! clients of the one do not understand all that clients of the other expect.

/// A version of NGINX Unit or of FreeUnit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Software {
    major: u32,
    minor: u32,
    patch: u32,
}

impl Software {
    /// From the value of a `Server` header: `Unit/1.36.0`, whatever follows the number. `None` if
    /// another program says it.
    pub fn parse(header: &str) -> Option<Self> {
        let version = header.trim().strip_prefix("Unit/")?;
        let mut numbers = version.splitn(3, '.').map(|part| {
            let digits = part.bytes().take_while(u8::is_ascii_digit).count();
            part[..digits].parse().ok()
        });
        let mut next = || numbers.next().flatten();
        Some(Self {
            major: next()?,
            minor: next()?,
            patch: next()?,
        })
    }

    /// Whether its refusals of a configuration say where, by a JSON pointer in `location.path`.
    /// FreeUnit does from 1.36 on; `unitctl` of NGINX Unit cannot read an error that has a
    /// location.
    pub fn names_places(self) -> bool {
        self >= FIRST_WITH_PLACES
    }
}

const FIRST_WITH_PLACES: Software = Software {
    major: 1,
    minor: 36,
    patch: 0,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_and_what_is_no_unit_is_none() {
        let version = |text| {
            Software::parse(text).map(|software| (software.major, software.minor, software.patch))
        };
        assert_eq!(version("Unit/1.35.0"), Some((1, 35, 0)));
        assert_eq!(version(" Unit/1.36.10~rc1 (Debian)"), Some((1, 36, 10)));
        for other in [
            "",
            "Unit",
            "Unit/",
            "Unit/1.36",
            "Unit/x.y.z",
            "unit/1.36.0",
            "nginx/1.36.0",
            "Unit/99999999999.1.1",
        ] {
            assert_eq!(version(other), None, "{other}");
        }
    }

    #[test]
    fn only_freeunit_says_where_and_not_from_its_beginning() {
        let says = |text| Software::parse(text).unwrap().names_places();
        assert!(
            ["Unit/1.36.0", "Unit/1.37.0", "Unit/2.0.0"]
                .into_iter()
                .all(says)
        );
        assert!(
            !["Unit/1.34.2", "Unit/1.35.0", "Unit/1.35.5"]
                .into_iter()
                .any(says)
        );
    }
}
