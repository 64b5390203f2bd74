//! Keys and signatures as hosts read them: a few structures of DER (ITU-T X.690 §8, §10).

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;

/// `SubjectPublicKeyInfo` of a point on P-256 up to the point (RFC 5480 §2).
const P256: [u8; 27] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
];

/// `AlgorithmIdentifier` of `rsaEncryption` (RFC 8017 §A.1).
const RSA: [u8; 15] =
    [0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];

/// `SubjectPublicKeyInfo` of the point with these coordinates, 32 bytes each.
pub(super) fn p256_public_key(x: &[u8], y: &[u8]) -> Vec<u8> {
    [&P256, x, y].concat()
}

/// `SubjectPublicKeyInfo` of an RSA key (RFC 8017 §A.1.1), from numbers big-endian.
pub(super) fn rsa_public_key(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    let key = tlv(SEQUENCE, &[&integer(modulus), &integer(exponent)]);
    tlv(SEQUENCE, &[&RSA, &tlv(BIT_STRING, &[&[0], &key])])
}

/// `Ecdsa-Sig-Value` (RFC 3279 §2.2.3) of a signature as a JWS has it: two numbers of equal length
/// (RFC 7518 §3.4).
pub(super) fn ecdsa_signature(raw: &[u8; 64]) -> Vec<u8> {
    let (r, s) = raw.split_at(32);
    tlv(SEQUENCE, &[&integer(r), &integer(s)])
}

/// An unsigned number, big-endian.
fn integer(number: &[u8]) -> Vec<u8> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let digits = number.get(zeros..).unwrap_or_default();
    // Zero has a digit, and what would look negative has a zero before it.
    let sign: &[u8] = if digits.first().is_none_or(|byte| *byte >= 0x80) { &[0] } else { &[] };
    tlv(INTEGER, &[sign, digits])
}

/// A type, a length of at most two bytes, and a value in parts.
fn tlv(kind: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let [.., high, low] = length.to_be_bytes();
    let head: &[u8] = match length {
        0..0x80 => &[kind, low],
        0x80..0x100 => &[kind, 0x81, low],
        _ => &[kind, 0x82, high, low],
    };
    [&[head], parts].concat().concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_as_short_as_der_asks_and_never_negative() {
        assert_eq!(integer(&[]), [2, 1, 0]);
        assert_eq!(integer(&[0, 0]), [2, 1, 0]);
        assert_eq!(integer(&[0, 0x7f]), [2, 1, 0x7f]);
        assert_eq!(integer(&[0x80]), [2, 2, 0, 0x80]);
        assert_eq!(integer(&[0, 1, 0]), [2, 2, 1, 0]);
    }

    #[test]
    fn lengths_take_as_many_bytes_as_they_need() {
        assert_eq!(tlv(4, &[&[7; 127]]).get(..3), Some(&[4, 127, 7][..]));
        assert_eq!(tlv(4, &[&[7; 100], &[8; 28]]).get(..4), Some(&[4, 0x81, 128, 7][..]));
        assert_eq!(tlv(4, &[&[7; 515]]).get(..5), Some(&[4, 0x82, 2, 3, 7][..]));
    }

    #[test]
    fn a_point_fills_its_structure() {
        let key = p256_public_key(&[1; 32], &[2; 32]);
        assert_eq!(key.len(), 2 + usize::from(key[1]));
    }
}
