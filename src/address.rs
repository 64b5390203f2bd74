//! Addresses of callers, as hosts write them.

/// Whose an address is: `192.0.2.1:4711`, `[2001:db8::1]:4711`, or without the port. Of an IPv6
/// address, the network: who has one address there has them all (RFC 4291 §2.5.1).
pub(crate) fn network(address: &[u8]) -> &[u8] {
    let ends_at = |byte| address.iter().position(|other| *other == byte);
    let host = match (address.strip_prefix(b"["), ends_at(b':')) {
        (Some(rest), _) => rest.split(|byte| *byte == b']').next().unwrap_or_default(),
        (None, Some(at)) if ends_at(b'.').is_some_and(|dot| dot < at) => {
            address.get(..at).unwrap_or_default()
        }
        (None, _) => address,
    };
    if host.contains(&b'.') {
        return host;
    }
    let groups = host.split(|byte| *byte == b':').take(4).take_while(|group| !group.is_empty());
    let length = groups.map(|group| group.len().saturating_add(1)).sum::<usize>();
    host.get(..length).unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_the_same_with_whatever_port_and_an_ipv6_network_is_one() {
        for (address, whose) in [
            ("192.0.2.1:4711", "192.0.2.1"),
            ("192.0.2.1", "192.0.2.1"),
            ("[2001:db8:1:2:3:4:5:6]:4711", "2001:db8:1:2:"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2:"),
            ("[2001:db8::1]:4711", "2001:db8:"),
            ("[::1]:4711", ""),
            ("::ffff:192.0.2.1", "::ffff:192.0.2.1"),
            ("[::ffff:192.0.2.1]:80", "::ffff:192.0.2.1"),
            ("fe80", "fe80"),
            ("", ""),
            ("[", ""),
            (":", ""),
        ] {
            assert_eq!(network(address.as_bytes()), whose.as_bytes(), "{address}");
        }
    }
}
