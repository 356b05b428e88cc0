//! What of a fleet stands in mDNS: names, tags and addresses that tell strangers nothing.
//!
//! Who knows none of the fleet's keys cannot tell from them which fleet it is, or which peer.

use std::net::{SocketAddr, SocketAddrV6};

use super::found::is_instance;
use crate::wire::fleet::Fleet;
use mdns_sd::{ResolvedService, ScopedIp, ServiceInfo};

/// What is announced, and by what others of this fleet are known.
pub(super) struct FleetNames {
    pub(super) instance: String,
    pub(super) fleet: Fleet,
}

impl FleetNames {
    /// This host's service as it is announced. There is no probing: a name that is a hash of a key
    /// of 256 bits is nobody else's.
    pub(super) fn service(&self, port: u16) -> mdns_sd::Result<ServiceInfo> {
        let mut txt = vec![("v".to_owned(), TXT_VERSION.to_owned())];
        txt.extend(
            self.tags(&self.instance, port)
                .zip(TAG_KEYS)
                .map(|(tag, key)| (key.to_owned(), tag)),
        );
        // A host label of its own: mdns-sd answers for it with other addresses than the machine's
        // own responder would for the machine's name, which makes avahi rename the machine.
        let host = format!("{}.local.", self.instance);
        let mut service = ServiceInfo::new(SERVICE, &self.instance, &host, "", port, &txt[..])?
            .enable_addr_auto();
        service.set_requires_probe(false);
        Ok(service)
    }

    /// Whether it bears the tag that only a member can make for this instance and this port.
    pub(super) fn is_of_this_fleet(&self, instance: &str, service: &ResolvedService) -> bool {
        let borne = || {
            TAG_KEYS
                .into_iter()
                .filter_map(|key| service.get_property_val_str(key))
        };
        is_instance(instance)
            && self
                .tags(instance, service.get_port())
                .any(|ours| borne().any(|tag| tag == ours))
    }

    fn tags(&self, instance: &str, port: u16) -> impl Iterator<Item = String> {
        self.fleet
            .keys()
            .iter()
            .map(move |key| key.tag(self.fleet.id(), instance, port))
    }
}

/// The first label of a service's full name.
pub(super) fn instance_of(fullname: &str) -> &str {
    fullname
        .strip_suffix(SERVICE)
        .and_then(|name| name.strip_suffix('.'))
        .unwrap_or("")
}

pub(super) fn addresses_of(service: &ResolvedService) -> Vec<SocketAddr> {
    let port = service.get_port();
    let address = |ip: &ScopedIp| match ip {
        ScopedIp::V4(v4) => Some((*v4.addr(), port).into()),
        ScopedIp::V6(v6) if v6.addr().is_unicast_link_local() => {
            Some(SocketAddrV6::new(*v6.addr(), port, 0, v6.scope_id().index).into())
        }
        ScopedIp::V6(v6) => Some((*v6.addr(), port).into()),
        // A kind of address that mdns-sd may learn one day.
        _ => None,
    };
    service.get_addresses().iter().filter_map(address).collect()
}

pub(super) const SERVICE: &str = "_starling._tcp.local.";

/// The version of the TXT record's meaning.
const TXT_VERSION: &str = "1";

/// The keys under which a host's tags stand, one for each fleet key that it accepts.
const TAG_KEYS: [&str; crate::limits::FLEET_KEYS_MAX] = ["t", "t1", "t2"];

pub(super) const LOOPBACK: &str = "lo";
