//! An answer, as the host hands it over.

use super::Failure;

/// The longest answer that is read, in bytes.
pub const MAX_RESPONSE_BYTES: usize = 256 * 1024;

/// The longest `ETag` that is kept, in bytes: without one, a document comes as a whole each time.
const MAX_ETAG_BYTES: usize = 128;

/// What came back for a [`Fetch`](crate::host::Fetch).
#[derive(Clone, Copy, Debug, Default)]
pub struct Response<'a> {
    /// The HTTP status; none where nobody answered.
    pub status: Option<u16>,
    /// How long the body is.
    pub length: usize,
    /// The body, where it is not longer than [`MAX_RESPONSE_BYTES`].
    pub body: &'a [u8],
    /// What the server calls this edition of the document (RFC 9110 §8.8.3); empty where it does not
    /// say.
    pub etag: &'a [u8],
    /// The status of a call of gRPC, in the trailers or, where there is nothing else, the headers.
    pub grpc_status: Option<u32>,
}

/// What an answer says of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content<'a> {
    /// It is as it was (RFC 9110 §15.4.5).
    Unchanged,
    /// It is this.
    Is(&'a [u8]),
}

impl<'a> Response<'a> {
    /// What it says, if it does: whatever else it is, nothing is known.
    pub(super) fn content(&self) -> Result<Content<'a>, Failure> {
        match self.status {
            None => return Err(Failure::NoAnswer),
            Some(200) => {}
            Some(304) => return Ok(Content::Unchanged),
            Some(status) => return Err(Failure::Status(status)),
        }
        if self.length > MAX_RESPONSE_BYTES {
            return Err(Failure::TooLong);
        }
        if self.body.len() != self.length {
            return Err(Failure::Broken);
        }
        Ok(Content::Is(self.body))
    }

    /// The `ETag`, if it is one that can be sent back.
    pub(super) fn etag(&self) -> &'a str {
        let fits = |etag: &&str| etag.len() <= MAX_ETAG_BYTES;
        let plain = |etag: &&str| etag.bytes().all(|byte| byte.is_ascii_graphic());
        str::from_utf8(self.etag).ok().filter(fits).filter(plain).unwrap_or_default()
    }
}
