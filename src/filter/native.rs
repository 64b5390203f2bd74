//! Signature checks by the proxy: Envoy's function `verify_signature`, in messages of Protocol Buffers
//! (`envoy.source.extensions.common.wasm.VerifySignatureArguments` and `VerifySignatureResult`).

use super::abi;
use crate::host::SignatureCheck;

const FUNCTION: &[u8] = b"verify_signature";

/// What one field adds to its value: a tag, and a length of at most three bytes.
const FIELD_HEADER: usize = 4;

/// The field `result`, true: the first one, for fields are written in the order of their numbers,
/// and those that are false are not.
const VERIFIED: &[u8] = &[0x08, 0x01];

/// A signature for [`works`]: made once with a key that nobody kept.
const SAMPLE: SignatureCheck<'_> = SignatureCheck {
    hash: "sha256",
    public_key: &SAMPLE_KEY,
    message: b"postern",
    signature: &SAMPLE_SIGNATURE,
};

const SAMPLE_KEY: [u8; 91] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04, 0x99, 0xb9, 0xb2, 0x29, 0x85,
    0x09, 0x34, 0x10, 0xe4, 0x87, 0x7e, 0x72, 0x7b, 0x1c, 0x63, 0xc1, 0xb3, 0x56, 0x08, 0xe1, 0xcd,
    0x8a, 0x67, 0x99, 0xd0, 0x90, 0xed, 0x06, 0x1c, 0xf2, 0x48, 0x4f, 0xfa, 0x7a, 0x5d, 0x21, 0x9c,
    0x91, 0xd5, 0xb5, 0x95, 0x0e, 0xe0, 0x06, 0x65, 0x26, 0x89, 0xc4, 0xe5, 0x2b, 0x45, 0x1d, 0x5e,
    0xe9, 0xfd, 0x96, 0xf7, 0x60, 0x35, 0x4a, 0x49, 0xf7, 0xb1, 0x3a,
];

const SAMPLE_SIGNATURE: [u8; 71] = [
    0x30, 0x45, 0x02, 0x20, 0x60, 0xe3, 0xf3, 0x46, 0x80, 0x61, 0x93, 0x59, 0xd9, 0xb5, 0x32, 0x54,
    0x54, 0x33, 0x12, 0x04, 0xb1, 0xa8, 0xf7, 0xdf, 0xb5, 0xda, 0x08, 0xf6, 0x30, 0xf9, 0xfe, 0x49,
    0xf7, 0x4d, 0xa9, 0x30, 0x02, 0x21, 0x00, 0x9c, 0x00, 0x7e, 0x04, 0xc3, 0x3f, 0xa5, 0xac, 0x48,
    0x0c, 0x4a, 0x47, 0xf6, 0x63, 0xb5, 0x8e, 0xef, 0xd2, 0xea, 0x24, 0xff, 0xcc, 0x05, 0x09, 0xea,
    0xef, 0xc8, 0xa4, 0xe6, 0x79, 0x7f, 0x81,
];

/// Whether the proxy has the function, and tells good signatures from bad ones. Only to be asked
/// where the name is no danger.
pub(super) fn works() -> bool {
    let other = SignatureCheck { message: b"Postern", ..SAMPLE };
    verify(&SAMPLE) == Some(true) && verify(&other) == Some(false)
}

/// What the proxy says of a signature; `None` if it does not say anything.
pub(super) fn verify(check: &SignatureCheck<'_>) -> Option<bool> {
    let fields = [check.hash.as_bytes(), check.public_key, check.signature, check.message];
    let size = fields.iter().map(|value| value.len().saturating_add(FIELD_HEADER)).sum();
    let mut arguments = Vec::with_capacity(size);
    for (number, value) in (1..).zip(fields) {
        push(&mut arguments, number, value)?;
    }
    let result = abi::call_foreign_function(FUNCTION, &arguments).ok()?;
    Some(result.starts_with(VERIFIED))
}

/// Appends a field of bytes; nothing is ever so long that its length would not fit.
fn push(message: &mut Vec<u8>, number: u8, value: &[u8]) -> Option<()> {
    const LENGTH_DELIMITED: u8 = 2;
    const MORE: u8 = 0x80;
    message.push(number << 3 | LENGTH_DELIMITED);
    let mut rest = u16::try_from(value.len()).ok()?;
    while let Some(high) = Some(rest >> 7).filter(|high| *high > 0) {
        message.push(rest.to_le_bytes()[0] | MORE);
        rest = high;
    }
    message.push(rest.to_le_bytes()[0]);
    message.extend_from_slice(value);
    Some(())
}
