//! Socket addresses as frames, handshakes and node records carry them.
//!
//! An address is its family (4 or 6), the bytes of the IP and the port. A scope means nothing to
//! another host and is left out.

use std::net::{IpAddr, SocketAddr};

use crate::codec::{Malformed, Reader, Writer};
use crate::limits::ADDRESSES_MAX;

/// Writes a count and so many addresses, which are at most [`ADDRESSES_MAX`].
pub(super) fn encode_all<'a>(out: &'a mut Writer, addresses: &[SocketAddr]) -> &'a mut Writer {
    let count = u8::try_from(addresses.len()).expect("at most ADDRESSES_MAX");
    addresses.iter().fold(out.u8(count), encode)
}

/// Reads what [`encode_all`] writes.
pub(super) fn decode_all(reader: &mut Reader<'_>) -> Result<Vec<SocketAddr>, Malformed> {
    let count = usize::from(reader.u8("number of addresses")?);
    if count > ADDRESSES_MAX {
        return Err(reader.malformed("number of addresses"));
    }
    (0..count).map(|_| decode(reader)).collect()
}

fn encode<'a>(out: &'a mut Writer, address: &SocketAddr) -> &'a mut Writer {
    match address.ip() {
        IpAddr::V4(ip) => out.u8(FAMILY_4).raw(&ip.octets()),
        IpAddr::V6(ip) => out.u8(FAMILY_6).raw(&ip.octets()),
    }
    .u16(address.port())
}

fn decode(reader: &mut Reader<'_>) -> Result<SocketAddr, Malformed> {
    let ip = match reader.u8("address family")? {
        FAMILY_4 => IpAddr::from(reader.array::<4>("address")?),
        FAMILY_6 => IpAddr::from(reader.array::<16>("address")?),
        _ => return Err(reader.malformed("address family")),
    };
    Ok(SocketAddr::new(ip, reader.u16("port")?))
}

const FAMILY_4: u8 = 4;
const FAMILY_6: u8 = 6;
