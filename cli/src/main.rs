//! The `postern` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    eprintln!("postern: no commands yet");
    ExitCode::FAILURE
}
