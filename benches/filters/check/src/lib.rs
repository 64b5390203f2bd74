//! A filter that has the proxy check one and the same signature for each request, and stops those
//! after which the proxy does not call it good.

use proxy_wasm::hostcalls::call_foreign_function;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, LogLevel};

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Error);
    proxy_wasm::set_root_context(|_| Box::new(Root(Vec::new())));
}}

/// The arguments of the check, as the configuration has them.
struct Root(Vec<u8>);

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, _: usize) -> bool {
        self.0 = self.get_plugin_configuration().unwrap_or_default();
        !self.0.is_empty()
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Request(self.0.clone())))
    }
}

struct Request(Vec<u8>);

impl Context for Request {}

impl HttpContext for Request {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        // `VerifySignatureResult.result`, true.
        let good = call_foreign_function("verify_signature", Some(&self.0))
            .is_ok_and(|result| result.is_some_and(|result| result.starts_with(&[0x08, 0x01])));
        if !good {
            self.send_http_response(500, Vec::new(), None);
            return Action::Pause;
        }
        Action::Continue
    }
}
