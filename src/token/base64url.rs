//! Base64url without padding (RFC 4648 §5, RFC 7515 §2), in its one spelling.
//!
//! `base64ct` takes as long for every text, and so three times as long: for a secret that is right, but
//! a token is none to whoever sends it, and each one that was not seen before comes by here.

/// What stands for a character outside the alphabet.
const STRAY: u8 = 0xff;

/// The six bits that each character stands for.
#[expect(clippy::indexing_slicing, reason = "worked out by the compiler")]
const SEXTETS: [u8; 256] = {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut sextets = [STRAY; 256];
    let mut value = 0;
    while value < ALPHABET.len() {
        sextets[ALPHABET[value] as usize] = value as u8;
        value += 1;
    }
    sextets
};

fn sextet(character: u8) -> u8 {
    SEXTETS.get(usize::from(character)).copied().unwrap_or(STRAY)
}

/// Whether there is nothing else in a text than characters of the alphabet.
pub(super) fn is_alphabet(text: &str) -> bool {
    text.bytes().all(|character| sextet(character) != STRAY)
}

/// The bytes that a text stands for. None if there is another character in it, padding too, or bits
/// at the end that no byte is made of: so that a token has one spelling.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    let (quads, rest) = text.as_bytes().as_chunks::<4>();
    let mut bytes = vec![0; quads.len().checked_mul(3)?];
    let mut strays = 0;
    for (triple, quad) in bytes.as_chunks_mut::<3>().0.iter_mut().zip(quads) {
        let [a, b, c, d] = quad.map(sextet);
        strays |= a | b | c | d;
        *triple = [a << 2 | b >> 4, b << 4 | c >> 2, c << 6 | d];
    }
    // Bits at the end that belong to no byte.
    let unused = match *rest {
        [] => 0,
        [a, b] => {
            let [a, b] = [a, b].map(sextet);
            strays |= a | b;
            bytes.push(a << 2 | b >> 4);
            b & 0b1111
        }
        [a, b, c] => {
            let [a, b, c] = [a, b, c].map(sextet);
            strays |= a | b | c;
            bytes.extend([a << 2 | b >> 4, b << 4 | c >> 2]);
            c & 0b11
        }
        _ => return None,
    };
    // The highest two bits of a character that stands for six are not set.
    (strays >> 6 == 0 && unused == 0).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use base64ct::{Base64UrlUnpadded, Encoding as _};
    use proptest::prelude::*;

    use super::{decode, is_alphabet};

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(bytes: Vec<u8>) {
            let text = Base64UrlUnpadded::encode_string(&bytes);
            prop_assert!(is_alphabet(&text));
            prop_assert_eq!(decode(&text), Some(bytes));
        }

        #[test]
        fn any_text_is_read_as_another_decoder_reads_it(text in "[A-Za-z0-9_-]{0,12}[!-~é]{0,2}") {
            prop_assert_eq!(decode(&text), Base64UrlUnpadded::decode_vec(&text).ok());
        }
    }

    #[test]
    fn every_ending_is_read_as_another_decoder_reads_it() {
        let characters = || (0..=127_u8).map(char::from);
        for first in characters() {
            for second in characters() {
                for start in ["", "A", "AA", "_-_-"] {
                    let text = format!("{start}{first}{second}");
                    assert_eq!(decode(&text), Base64UrlUnpadded::decode_vec(&text).ok(), "{text}");
                }
            }
        }
    }
}
