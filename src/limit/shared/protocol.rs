//! `envoy.service.ratelimit.v3.RateLimitService`, as far as it is used.

use super::account::Word;
use super::news::Failure;
use crate::feed::Response;
use crate::limit::gcra::NANOS_PER_SEC;
use crate::limit::{BucketKey, Class, Limit};
use crate::protobuf::{Malformed, Wire, put_bytes, put_number};

pub(super) const PATH: &str = "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit";

/// The longest answer that is read, in bytes.
const MAX_ANSWER_BYTES: usize = 16 * 1024;

/// Of a message of gRPC that is not compressed; four bytes with its length follow.
const PLAIN: u8 = 0;

const OK: u64 = 1;
const OVER_LIMIT: u64 = 2;

/// A `RateLimitRequest` for so many units of a bucket.
///
/// Its one descriptor names the limit (`limit`) and the bucket (`key`), and says how much there is, which
/// services may heed in the place of what they are configured with.
pub(super) fn question(domain: &str, limit: &Limit, key: BucketKey, hits: u32) -> Vec<u8> {
    let mut descriptor = Vec::with_capacity(96);
    put_bytes(&mut descriptor, 1, &entry("limit", name(limit).as_bytes()));
    put_bytes(&mut descriptor, 1, &entry("key", &key.digits()));
    let mut quota = Vec::new();
    put_number(&mut quota, 1, limit.told.0.into());
    put_number(&mut quota, 2, unit(limit).into());
    put_bytes(&mut descriptor, 2, &quota);

    let mut message = Vec::with_capacity(160);
    put_bytes(&mut message, 1, domain.as_bytes());
    put_bytes(&mut message, 2, &descriptor);
    put_number(&mut message, 3, hits.into());

    let length = u32::try_from(message.len()).unwrap_or_default();
    [&[PLAIN][..], &length.to_be_bytes(), &message].concat()
}

/// What the service calls a limit.
fn name(limit: &Limit) -> String {
    let class = match limit.class {
        Class::Agents => "agents",
        Class::Humans => "humans",
        Class::Keys => "keys",
    };
    format!("{class}.{}", limit.name)
}

/// The `RateLimitUnit` in which a limit is written; 0, which is none, for any that cannot be.
pub(super) fn unit(limit: &Limit) -> u8 {
    match limit.told.1 {
        Some(1) => 1,
        Some(60) => 2,
        Some(3_600) => 3,
        Some(86_400) => 4,
        Some(_) => 0,
        None => 5,
    }
}

fn entry(key: &str, value: &[u8]) -> Vec<u8> {
    let mut entry = Vec::with_capacity(48);
    put_bytes(&mut entry, 1, key.as_bytes());
    put_bytes(&mut entry, 2, value);
    entry
}

/// Whether a `RateLimitResponse` says yes or no, and what else.
pub(super) fn answer(response: &Response<'_>) -> Result<Result<Word, Word>, Failure> {
    match (response.status, response.grpc_status) {
        (None, _) => return Err(Failure::NoAnswer),
        (Some(200), Some(0)) => {}
        (Some(200), Some(status)) => return Err(Failure::Grpc(status)),
        (Some(200), None) => return Err(Failure::NotGrpc),
        (Some(status), _) => return Err(Failure::Status(status)),
    }
    if response.length > MAX_ANSWER_BYTES || response.body.len() != response.length {
        return Err(Failure::TooLong);
    }
    let framed = response.body.split_first_chunk::<5>();
    let ([flag, length @ ..], message) = framed.ok_or(Failure::NotGrpc)?;
    if *flag != PLAIN || u32::from_be_bytes(*length).try_into() != Ok(message.len()) {
        return Err(Failure::NotGrpc);
    }
    read(message).map_err(|_| Failure::NotUnderstood)?.ok_or(Failure::NotUnderstood)
}

/// `RateLimitResponse`: field 1 is the code, field 2 the status of each descriptor, field 3 headers.
fn read(message: &[u8]) -> Result<Option<Result<Word, Word>>, Malformed> {
    let (mut code, mut word) = (0, Word::default());
    let mut wire = Wire::new(message);
    while let Some((id, field)) = wire.field()? {
        match id {
            1 => code = field.varint()?,
            2 => status(field.bytes()?, &mut word)?,
            3 => header(field.bytes()?, &mut word)?,
            _ => {}
        }
    }
    // No window ends now; who says so does not know.
    word.reset = word.reset.filter(|reset| *reset > 0);
    Ok(match code {
        OK => Some(Ok(word)),
        OVER_LIMIT => Some(Err(word)),
        _ => None,
    })
}

/// `DescriptorStatus`: field 2 is the limit, field 3 what is left, field 4 the time to the end of the
/// window. Without a limit, nothing is known.
fn status(message: &[u8], word: &mut Word) -> Result<(), Malformed> {
    let (mut has_limit, mut remaining, mut reset) = (false, 0, None);
    let mut wire = Wire::new(message);
    while let Some((id, field)) = wire.field()? {
        match id {
            2 => has_limit = !field.bytes()?.is_empty(),
            3 => remaining = field.varint()?,
            4 => reset = Some(duration(field.bytes()?)?),
            _ => {}
        }
    }
    if has_limit {
        word.remaining = Some(u32::try_from(remaining).unwrap_or(u32::MAX));
        word.reset = reset.or(word.reset);
    }
    Ok(())
}

/// `Duration`, in nanoseconds: field 1 is the seconds, field 2 the rest.
fn duration(message: &[u8]) -> Result<u64, Malformed> {
    let (mut seconds, mut nanos) = (0, 0);
    let mut wire = Wire::new(message);
    while let Some((id, field)) = wire.field()? {
        match id {
            1 => seconds = field.varint()?,
            2 => nanos = field.varint()?,
            _ => {}
        }
    }
    // What is negative is as long as can be, and as long as a window may be is longer than that.
    Ok(seconds.saturating_mul(NANOS_PER_SEC).saturating_add(nanos.min(NANOS_PER_SEC)))
}

/// `HeaderValue`: field 1 is the name, field 2 the value. Limitador says here when its windows end.
fn header(message: &[u8], word: &mut Word) -> Result<(), Malformed> {
    let (mut name, mut value) = ("", "");
    let mut wire = Wire::new(message);
    while let Some((id, field)) = wire.field()? {
        match id {
            1 => name = field.text()?,
            2 => value = field.text()?,
            _ => {}
        }
    }
    let number = value.parse::<u64>().ok();
    if name.eq_ignore_ascii_case("x-ratelimit-reset") {
        word.reset = word.reset.or(number.map(|seconds| seconds.saturating_mul(NANOS_PER_SEC)));
    } else if name.eq_ignore_ascii_case("x-ratelimit-remaining") {
        let number = number.map(|number| u32::try_from(number).unwrap_or(u32::MAX));
        word.remaining = word.remaining.or(number);
    }
    Ok(())
}
