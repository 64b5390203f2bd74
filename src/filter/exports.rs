//! The names the proxy calls. Each costs a call on every request, so there are no others.
#![expect(unsafe_code, reason = "exported names must not clash, and these are the ABI's")]

use super::context::{self, Deleted};
use super::{configure, feeds, memory, request, waiting};

/// Names the version of the ABI by being there.
#[unsafe(no_mangle)]
extern "C" fn proxy_abi_version_0_2_1() {}

/// Runs before everything else. That it exists keeps the linker from wrapping each export in the
/// constructors and destructors of a command.
#[unsafe(no_mangle)]
extern "C" fn _initialize() {
    unsafe extern "C" {
        fn __wasm_call_ctors();
    }
    unsafe { __wasm_call_ctors() }
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_memory_allocate(size: usize) -> *mut u8 {
    memory::allocate(size)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_vm_start(_root: u32, _configuration_size: usize) -> u32 {
    1
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_context_create(context: u32, parent: u32) {
    context::create(context, parent);
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_configure(root: u32, size: usize) -> u32 {
    configure::on_configure(root, size).into()
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_headers(stream: u32, _headers: u32, _end_of_stream: u32) -> u32 {
    request::on_request_headers(stream) as u32
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_headers(stream: u32, _headers: u32, _end_of_stream: u32) -> u32 {
    request::on_response_headers(stream) as u32
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_delete(context: u32) {
    waiting::forget(context);
    match context::delete(context) {
        Some(Deleted::Root(engine)) => feeds::on_delete(context, &engine),
        Some(Deleted::Stream(engine, under_way)) => request::on_end(&engine, &under_way),
        None => {}
    }
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_tick(root: u32) {
    feeds::on_tick(root);
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_http_call_response(
    root: u32,
    call: u32,
    headers: u32,
    body_size: usize,
    trailers: u32,
) {
    feeds::on_response(root, call, headers, body_size, trailers);
}

/// What nginx's module calls without looking whether it is there.
#[cfg(feature = "nginx")]
mod nginx {
    #[unsafe(no_mangle)]
    extern "C" fn proxy_on_request_body(_stream: u32, _size: u32, _end_of_stream: u32) -> u32 {
        0
    }

    #[unsafe(no_mangle)]
    extern "C" fn proxy_on_response_body(_stream: u32, _size: u32, _end_of_stream: u32) -> u32 {
        0
    }

    #[unsafe(no_mangle)]
    extern "C" fn proxy_on_done(_context: u32) -> u32 {
        1
    }

    #[unsafe(no_mangle)]
    extern "C" fn proxy_on_log(_context: u32) {}
}
