//! Functions that only some proxies have.

use postern::host::SignatureCheck;
use prost::Message;
use rsa::pkcs8::DecodePublicKey;
use rsa::sha2::{Digest, Sha256, Sha384, Sha512};
use rsa::{Pkcs1v15Sign, RsaPublicKey};
use wasmtime::{Linker, Result, bail};

use super::Profile;
use super::calls::{BAD_ARGUMENT, Guest, call, give, read};
use super::worker::Vm;

/// `envoy.source.extensions.common.wasm.VerifySignatureArguments`.
#[derive(Clone, PartialEq, Message)]
struct Arguments {
    #[prost(string, tag = "1")]
    hash_function: String,
    #[prost(bytes = "vec", tag = "2")]
    public_key: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    signature: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    text: Vec<u8>,
}

/// `envoy.source.extensions.common.wasm.VerifySignatureResult`.
#[derive(Clone, PartialEq, Message)]
struct Verdict {
    #[prost(bool, tag = "1")]
    result: bool,
    #[prost(string, tag = "2")]
    error: String,
}

/// What a filter asks of `verify_signature`, as it is sent.
pub fn signature_arguments(check: &SignatureCheck<'_>) -> Vec<u8> {
    let arguments = Arguments {
        hash_function: check.hash.to_owned(),
        public_key: check.public_key.to_vec(),
        signature: check.signature.to_vec(),
        text: check.message.to_vec(),
    };
    arguments.encode_to_vec()
}

pub(super) fn link(linker: &mut Linker<Vm>) -> Result<()> {
    linker.func_wrap(
        "env",
        "proxy_call_foreign_function",
        |mut g: Guest<'_>,
         name: u32,
         name_size: u32,
         from: u32,
         from_size: u32,
         data: u32,
         size: u32| {
            call(&mut g, "proxy_call_foreign_function", Some((data, size)), |g| {
                let (name, arguments) = (read(g, name, name_size)?, read(g, from, from_size)?);
                let profile = g.data().profile;
                if profile != Profile::Envoy || name != b"verify_signature" {
                    let Some(status) = profile.unknown_function() else {
                        bail!("unknown foreign function");
                    };
                    return Ok(status);
                }
                let Ok(arguments) = Arguments::decode(arguments.as_slice()) else {
                    return Ok(BAD_ARGUMENT);
                };
                let result = verify(&arguments).unwrap_or_default();
                let error = if result { "" } else { "Failed to verify digital signature." };
                let verdict = Verdict { result, error: error.to_owned() };
                give(g, &verdict.encode_to_vec(), data, size)
            })
        },
    )?;
    Ok(())
}

/// `None` for what is no key or signature at all.
fn verify(arguments: &Arguments) -> Option<bool> {
    let Arguments { hash_function, public_key, signature, text } = arguments;
    if let Ok(key) = p256::ecdsa::VerifyingKey::from_public_key_der(public_key) {
        use p256::ecdsa::signature::Verifier;
        let signature = p256::ecdsa::Signature::from_der(signature).ok()?;
        return Some(hash_function == "sha256" && key.verify(text, &signature).is_ok());
    }
    let key = RsaPublicKey::from_public_key_der(public_key).ok()?;
    let (padding, hash) = match hash_function.as_str() {
        "sha256" => (Pkcs1v15Sign::new::<Sha256>(), Sha256::digest(text).to_vec()),
        "sha384" => (Pkcs1v15Sign::new::<Sha384>(), Sha384::digest(text).to_vec()),
        "sha512" => (Pkcs1v15Sign::new::<Sha512>(), Sha512::digest(text).to_vec()),
        _ => return None,
    };
    Some(key.verify(padding, &hash, signature).is_ok())
}
