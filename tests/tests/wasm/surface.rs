//! What the filter asks of a host and what it shows to one.

use postern_tests::wasm_host::Filter;

#[test]
fn it_asks_only_for_what_every_host_has() {
    const EVERYWHERE: [&str; 26] = [
        "env.proxy_add_header_map_value",
        "env.proxy_call_foreign_function",
        "env.proxy_continue_stream",
        "env.proxy_define_metric",
        "env.proxy_get_buffer_bytes",
        "env.proxy_get_current_time_nanoseconds",
        "env.proxy_get_header_map_pairs",
        "env.proxy_get_property",
        "env.proxy_get_shared_data",
        "env.proxy_http_call",
        "env.proxy_increment_metric",
        "env.proxy_log",
        "env.proxy_record_metric",
        "env.proxy_remove_header_map_value",
        "env.proxy_send_local_response",
        "env.proxy_set_effective_context",
        "env.proxy_set_header_map_pairs",
        "env.proxy_set_property",
        "env.proxy_set_shared_data",
        "env.proxy_set_tick_period_milliseconds",
        "wasi_snapshot_preview1.clock_time_get",
        "wasi_snapshot_preview1.environ_get",
        "wasi_snapshot_preview1.environ_sizes_get",
        "wasi_snapshot_preview1.fd_write",
        "wasi_snapshot_preview1.proc_exit",
        "wasi_snapshot_preview1.random_get",
    ];
    for import in Filter::this().imports() {
        assert!(EVERYWHERE.contains(&import.as_str()), "`{import}` is not on every host");
    }
}

#[test]
fn it_shows_no_callback_that_it_has_no_use_for() {
    let mut exports = Filter::this().exports();
    exports.sort();
    assert_eq!(
        exports,
        [
            "_initialize",
            "memory",
            "proxy_abi_version_0_2_1",
            "proxy_on_configure",
            "proxy_on_context_create",
            "proxy_on_delete",
            "proxy_on_http_call_response",
            "proxy_on_memory_allocate",
            "proxy_on_request_headers",
            "proxy_on_response_headers",
            "proxy_on_tick",
            "proxy_on_vm_start",
        ]
    );
}

#[test]
fn it_is_small_enough_for_envoy_to_compile_at_once() {
    let size = Filter::this().size;
    println!("{size} bytes");
    assert!(size < 1_225_000, "{size} bytes");
}
