//! The proxy's functions, each in bytes, each status a [`Result`]: the one file that calls them.
//!
//! Only functions every host has. Some hosts do not load, or die, when a module so much as names
//! `proxy_get_log_level`, gRPC or shared queues.
#![expect(unsafe_code, reason = "calls into the proxy: every pointer comes from a live slice")]

use super::memory;

/// Why the proxy did not do what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    /// There is no such thing.
    NotFound,
    /// The value changed since it was read.
    CasMismatch,
    /// Every other status, those of later ABI versions among them.
    Failed,
}

/// Which header map.
#[derive(Clone, Copy, Debug)]
pub(super) enum Map {
    Request = 0,
    Response = 2,
    CallResponse = 6,
    CallResponseTrailers = 7,
}

/// How loud a log line is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Level {
    Info = 2,
    Warn = 3,
    Error = 4,
}

/// Bytes of one log line; the rest is cut off.
const MAX_LOG_LINE: usize = 16 * 1024;

const CALL_RESPONSE_BODY: u32 = 4;
const PLUGIN_CONFIGURATION: u32 = 7;

const REQUEST: u32 = 0;

const COUNTER: u32 = 0;
const GAUGE: u32 = 1;

/// No gRPC status of our own: the proxy derives it from the HTTP status.
const NO_GRPC_STATUS: i32 = -1;

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_log(level: u32, line: *const u8, size: usize) -> u32;
    fn proxy_get_buffer_bytes(
        kind: u32,
        start: usize,
        max: usize,
        data: *mut *const u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_get_header_map_pairs(map: u32, data: *mut *const u8, size: *mut usize) -> u32;
    fn proxy_set_header_map_pairs(map: u32, pairs: *const u8, size: usize) -> u32;
    fn proxy_add_header_map_value(
        map: u32,
        name: *const u8,
        name_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_remove_header_map_value(map: u32, name: *const u8, size: usize) -> u32;
    fn proxy_get_property(
        path: *const u8,
        path_size: usize,
        data: *mut *const u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_set_property(
        path: *const u8,
        path_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_get_shared_data(
        key: *const u8,
        key_size: usize,
        data: *mut *const u8,
        size: *mut usize,
        cas: *mut u32,
    ) -> u32;
    fn proxy_set_shared_data(
        key: *const u8,
        key_size: usize,
        value: *const u8,
        value_size: usize,
        cas: u32,
    ) -> u32;
    fn proxy_get_current_time_nanoseconds(nanos: *mut u64) -> u32;
    fn proxy_set_tick_period_milliseconds(period: u32) -> u32;
    fn proxy_set_effective_context(context: u32) -> u32;
    fn proxy_continue_stream(stream: u32) -> u32;
    fn proxy_http_call(
        upstream: *const u8,
        upstream_size: usize,
        headers: *const u8,
        headers_size: usize,
        body: *const u8,
        body_size: usize,
        trailers: *const u8,
        trailers_size: usize,
        timeout: u32,
        call: *mut u32,
    ) -> u32;
    fn proxy_call_foreign_function(
        name: *const u8,
        name_size: usize,
        arguments: *const u8,
        arguments_size: usize,
        data: *mut *const u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_define_metric(kind: u32, name: *const u8, size: usize, metric: *mut u32) -> u32;
    fn proxy_record_metric(metric: u32, value: u64) -> u32;
    fn proxy_increment_metric(metric: u32, by: i64) -> u32;
    fn proxy_send_local_response(
        status: u32,
        details: *const u8,
        details_size: usize,
        body: *const u8,
        body_size: usize,
        headers: *const u8,
        headers_size: usize,
        grpc_status: i32,
    ) -> u32;
}

#[link(wasm_import_module = "wasi_snapshot_preview1")]
unsafe extern "C" {
    fn random_get(data: *mut u8, size: usize) -> u16;
}

/// Writes a line to the proxy's log. A log that fails has nowhere to say so.
pub(super) fn log(level: Level, line: &str) {
    let line = line.as_bytes();
    let line = line.get(..MAX_LOG_LINE).unwrap_or(line);
    unsafe { proxy_log(level as u32, line.as_ptr(), line.len()) };
}

/// The plugin's configuration, at most `size` bytes of it.
pub(super) fn plugin_configuration(size: usize) -> Result<Vec<u8>, Status> {
    receive(|data, length| unsafe {
        proxy_get_buffer_bytes(PLUGIN_CONFIGURATION, 0, size, data, length)
    })
}

/// A whole header map, as [`pairs`](super::pairs) reads it.
pub(super) fn header_pairs(map: Map) -> Result<Vec<u8>, Status> {
    receive(|data, size| unsafe { proxy_get_header_map_pairs(map as u32, data, size) })
}

/// Replaces a whole header map by what [`pairs`](super::pairs) wrote.
pub(super) fn set_header_pairs(map: Map, pairs: &[u8]) -> Result<(), Status> {
    check(unsafe { proxy_set_header_map_pairs(map as u32, pairs.as_ptr(), pairs.len()) })
}

/// Adds a header field.
pub(super) fn add_header(map: Map, name: &[u8], value: &[u8]) -> Result<(), Status> {
    check(unsafe {
        proxy_add_header_map_value(
            map as u32,
            name.as_ptr(),
            name.len(),
            value.as_ptr(),
            value.len(),
        )
    })
}

/// Removes all header fields of a name.
pub(super) fn remove_header(map: Map, name: &[u8]) -> Result<(), Status> {
    check(unsafe { proxy_remove_header_map_value(map as u32, name.as_ptr(), name.len()) })
}

/// A property by its path, the segments of which are parted by NUL.
pub(super) fn property(path: &[u8]) -> Result<Vec<u8>, Status> {
    receive(|data, size| unsafe { proxy_get_property(path.as_ptr(), path.len(), data, size) })
}

/// Sets a property.
pub(super) fn set_property(path: &[u8], value: &[u8]) -> Result<(), Status> {
    check(unsafe { proxy_set_property(path.as_ptr(), path.len(), value.as_ptr(), value.len()) })
}

/// A value of the store all workers share, and its version.
pub(super) fn shared_data(key: &[u8]) -> Result<(Vec<u8>, u32), Status> {
    let mut cas = 0;
    let value = receive(|data, size| unsafe {
        proxy_get_shared_data(key.as_ptr(), key.len(), data, size, &raw mut cas)
    })?;
    Ok((value, cas))
}

/// Puts a value into the store all workers share. What `cas` means differs between hosts.
pub(super) fn set_shared_data(key: &[u8], value: &[u8], cas: u32) -> Result<(), Status> {
    check(unsafe {
        proxy_set_shared_data(key.as_ptr(), key.len(), value.as_ptr(), value.len(), cas)
    })
}

/// Nanoseconds since the Unix epoch.
pub(super) fn now() -> Result<u64, Status> {
    let mut nanos = 0;
    check(unsafe { proxy_get_current_time_nanoseconds(&raw mut nanos) })?;
    Ok(nanos)
}

/// Answers the request in place of the upstream. `headers` as [`pairs`](super::pairs) writes them.
pub(super) fn send_local_response(
    status: u16,
    details: &[u8],
    headers: &[u8],
    body: &[u8],
) -> Result<(), Status> {
    check(unsafe {
        proxy_send_local_response(
            status.into(),
            details.as_ptr(),
            details.len(),
            body.as_ptr(),
            body.len(),
            headers.as_ptr(),
            headers.len(),
            NO_GRPC_STATUS,
        )
    })
}

/// How often the proxy calls the root of the context at hand, in milliseconds; 0 for never.
pub(super) fn set_tick_period(millis: u32) -> Result<(), Status> {
    check(unsafe { proxy_set_tick_period_milliseconds(millis) })
}

/// Makes `context` the one that the next calls are about.
pub(super) fn set_context(context: u32) -> Result<(), Status> {
    check(unsafe { proxy_set_effective_context(context) })
}

/// Lets a request go on that was held.
pub(super) fn continue_request() -> Result<(), Status> {
    check(unsafe { proxy_continue_stream(REQUEST) })
}

/// Sends a request; the answer comes later under the number that is returned. `headers` as
/// [`pairs`](super::pairs) writes them, `timeout` in milliseconds.
pub(super) fn http_call(
    upstream: &[u8],
    headers: &[u8],
    body: &[u8],
    timeout: u32,
) -> Result<u32, Status> {
    // No trailers: a map of none.
    let trailers = [0; 4];
    let mut call = 0;
    check(unsafe {
        proxy_http_call(
            upstream.as_ptr(),
            upstream.len(),
            headers.as_ptr(),
            headers.len(),
            body.as_ptr(),
            body.len(),
            trailers.as_ptr(),
            trailers.len(),
            timeout,
            &raw mut call,
        )
    })?;
    Ok(call)
}

/// The body of the answer that came, at most `size` bytes of it.
pub(super) fn call_response_body(size: usize) -> Result<Vec<u8>, Status> {
    receive(|data, length| unsafe {
        proxy_get_buffer_bytes(CALL_RESPONSE_BODY, 0, size, data, length)
    })
}

/// What a function of the proxy's own says. Not to be asked where it is not sure to be known: some
/// proxies end the request at a name that they do not know.
pub(super) fn call_foreign_function(name: &[u8], arguments: &[u8]) -> Result<Vec<u8>, Status> {
    receive(|data, size| unsafe {
        proxy_call_foreign_function(
            name.as_ptr(),
            name.len(),
            arguments.as_ptr(),
            arguments.len(),
            data,
            size,
        )
    })
}

/// A gauge of the proxy's.
pub(super) fn define_gauge(name: &str) -> Result<u32, Status> {
    define_metric(GAUGE, name)
}

/// A counter of the proxy's, which all workers share.
pub(super) fn define_counter(name: &str) -> Result<u32, Status> {
    define_metric(COUNTER, name)
}

fn define_metric(kind: u32, name: &str) -> Result<u32, Status> {
    let mut metric = 0;
    check(unsafe { proxy_define_metric(kind, name.as_ptr(), name.len(), &raw mut metric) })?;
    Ok(metric)
}

/// Adds one to a counter.
pub(super) fn increment(counter: u32) -> Result<(), Status> {
    check(unsafe { proxy_increment_metric(counter, 1) })
}

/// Sets a gauge.
pub(super) fn record_gauge(metric: u32, value: u64) -> Result<(), Status> {
    check(unsafe { proxy_record_metric(metric, value) })
}

/// Sixteen bytes nobody can guess.
pub(super) fn random() -> Result<[u8; 16], Status> {
    let mut bytes = [0; 16];
    match unsafe { random_get(bytes.as_mut_ptr(), bytes.len()) } {
        0 => Ok(bytes),
        _ => Err(Status::Failed),
    }
}

/// Takes over the buffer that the proxy filled during `call`.
fn receive(call: impl FnOnce(*mut *const u8, *mut usize) -> u32) -> Result<Vec<u8>, Status> {
    let mut data = std::ptr::null();
    let mut size = 0;
    let status = call(&raw mut data, &raw mut size);
    let buffer = memory::claim(data, size);
    check(status)?;
    buffer.ok_or(Status::Failed)
}

fn check(status: u32) -> Result<(), Status> {
    match status {
        0 => Ok(()),
        1 => Err(Status::NotFound),
        8 => Err(Status::CasMismatch),
        _ => Err(Status::Failed),
    }
}
