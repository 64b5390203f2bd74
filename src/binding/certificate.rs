//! The client certificate of the connection (RFC 8705 §3).

use super::{Digest, Sole, Unproven};
use crate::host::Host;

/// The header in which a proxy passes on what it knows of the client's certificate: Envoy's
/// `x-forwarded-client-cert`.
pub const HEADER: &[u8] = b"x-forwarded-client-cert";

/// Where the client's certificate is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateSource {
    /// In the connection: TLS ends at the proxy we are in.
    Connection,
    /// In the header `x-forwarded-client-cert`: TLS ends at a proxy before ours. Whoever else can
    /// send it can be everybody.
    ForwardedHeader,
}

/// Checks that the client's certificate is the one of this digest.
pub(super) fn check(
    source: CertificateSource,
    digest: &Digest,
    header: Sole<'_>,
    host: &impl Host,
) -> Result<(), Unproven> {
    let presented = match source {
        CertificateSource::Connection => host.peer_certificate(),
        CertificateSource::ForwardedHeader if !host.shows_whole_headers() => None,
        CertificateSource::ForwardedHeader => match header {
            Sole::Absent => None,
            Sole::One(value) => Some(forwarded(value).ok_or(Unproven::CertificateMalformed)?),
            Sole::Several => return Err(Unproven::CertificateMalformed),
        },
    };
    match presented {
        None => Err(Unproven::CertificateMissing),
        Some(presented) if presented == *digest => Ok(()),
        Some(_) => Err(Unproven::CertificateMismatch),
    }
}

/// The digest in the `Hash` of the one element of an `x-forwarded-client-cert`. Of two elements
/// one may be the caller's own invention, and of two hashes likewise.
fn forwarded(value: &[u8]) -> Option<Digest> {
    let (mut quoted, mut escaped, mut start) = (false, false, 0);
    let mut hash = None;
    let mut take = |pair: &[u8]| {
        let equals = pair.iter().position(|byte| *byte == b'=')?;
        let (name, value) = (pair.get(..equals)?, pair.get(equals.checked_add(1)?..)?);
        if name.eq_ignore_ascii_case(b"hash") {
            return hash.replace(parse_digest(value)?).is_none().then_some(());
        }
        // A name we take for another may be a `Hash` to somebody else.
        name.iter().all(u8::is_ascii_alphabetic).then_some(())
    };
    for (place, byte) in value.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b',' if !quoted => return None,
            b';' if !quoted => {
                take(value.get(start..place)?)?;
                start = place.checked_add(1)?;
            }
            _ => {}
        }
    }
    take(value.get(start..)?)?;
    if quoted { None } else { hash }
}

/// A digest as Envoy writes it: 64 hexadecimal digits.
pub fn parse_digest(text: &[u8]) -> Option<Digest> {
    let (pairs, rest) = text.as_chunks::<2>();
    if pairs.len() != 32 || !rest.is_empty() {
        return None;
    }
    let mut digest = Digest::default();
    for (byte, [high, low]) in digest.iter_mut().zip(pairs) {
        let digit = |of: u8| char::from(of).to_digit(16);
        *byte = u8::try_from(digit(*high)? << 4 | digit(*low)?).ok()?;
    }
    Some(digest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HASH: &str = "468ed33be74eee6556d90c0149c1309e9ba61d6425303443c0748a02dd8de688";

    #[test]
    fn the_hash_of_the_one_element_is_the_certificate_s() {
        let digest = parse_digest(HASH.as_bytes()).unwrap();
        let upper = HASH.to_uppercase();
        for header in [
            format!("Hash={HASH}"),
            format!("hash={upper}"),
            format!("By=http://frontend.lyft.com;Hash={HASH};URI=http://testclient.lyft.com"),
            format!("By=x;Hash={HASH};Subject=\"/C=US/ST=CA, x/CN=Test; \\\"Client\\\"\";URI="),
            format!("Subject=\"Hash=00,\";Hash={HASH}"),
        ] {
            assert_eq!(forwarded(header.as_bytes()), Some(digest), "{header}");
        }
    }

    #[test]
    fn what_can_be_read_in_two_ways_or_not_at_all_is_no_certificate() {
        for header in [
            String::new(),
            "By=x;URI=y".to_owned(),
            "Hash=".to_owned(),
            format!("Hash={HASH},Hash={HASH}"),
            format!("Hash={HASH},"),
            format!("By=x,By=y;Hash={HASH}"),
            format!("Hash={HASH};Hash={HASH}"),
            format!("Hash={HASH};hash={HASH}"),
            format!("Hash=\"{HASH}\""),
            format!("Hash={HASH}00"),
            format!("Hash= {HASH}"),
            format!(" Hash={HASH}"),
            format!("Hash ={HASH};By=x"),
            format!("Hash={HASH};"),
            format!("Hash={HASH};x"),
            format!("Hash={HASH};Subject=\"a"),
            format!("Subject=\"a\\\";Hash={HASH}"),
            HASH.to_owned(),
        ] {
            assert_eq!(forwarded(header.as_bytes()), None, "{header}");
        }
    }

    #[test]
    fn a_digest_is_64_hexadecimal_digits() {
        assert!(parse_digest(HASH.as_bytes()).is_some());
        let (short, odd) = (HASH.split_at(1).1, format!("{HASH}0"));
        for text in ["", short, &odd, &HASH.replace('4', "+"), &HASH.replace('a', "g")] {
            assert_eq!(parse_digest(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_header_is_read_or_refused(value in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = forwarded(&value);
        }
    }
}
