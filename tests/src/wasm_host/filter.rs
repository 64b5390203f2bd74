//! The compiled filter.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use wasmtime::{Config, Engine, Module};

/// A `.wasm` file, ready to run.
#[derive(Clone)]
pub struct Filter {
    pub(super) engine: Engine,
    pub(super) module: Module,
    /// Whether instructions are counted, which takes time itself.
    pub(super) counts: bool,
    /// Bytes of the file.
    pub size: usize,
}

impl Filter {
    /// The filter of this workspace: the file that the variable `POSTERN_WASM` names or, without
    /// it, one that is built now.
    pub fn this() -> &'static Self {
        static FILTER: OnceLock<Filter> = OnceLock::new();
        FILTER.get_or_init(|| Self::load(true))
    }

    /// The same, as fast as it runs where nobody counts its instructions.
    pub fn uncounted() -> &'static Self {
        static FILTER: OnceLock<Filter> = OnceLock::new();
        FILTER.get_or_init(|| Self::load(false))
    }

    fn load(counts: bool) -> Self {
        let path = std::env::var_os("POSTERN_WASM").map_or_else(build, PathBuf::from);
        let bytes = std::fs::read(&path)
            .unwrap_or_else(|error| panic!("cannot read `{}`: {error}", path.display()));
        let engine = Engine::new(Config::new().consume_fuel(counts)).expect("an engine");
        let module = Module::new(&engine, &bytes).expect("a WebAssembly module");
        Self { engine, module, counts, size: bytes.len() }
    }

    /// The functions it asks of a host, as `module.name`.
    pub fn imports(&self) -> Vec<String> {
        self.module.imports().map(|i| format!("{}.{}", i.module(), i.name())).collect()
    }

    /// The names it shows to a host.
    pub fn exports(&self) -> Vec<String> {
        self.module.exports().map(|export| export.name().to_owned()).collect()
    }
}

/// Builds the filter as `make filter` does, and says where it is.
fn build() -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["rustc", "--package", "postern", "--lib", "--crate-type", "cdylib"])
        .args(["--target", "wasm32-wasip1", "--profile", "filter"])
        .args(["--quiet", "--message-format", "json"])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo");
    assert!(output.status.success(), "the filter does not build");
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter_map(|message| message.get("filenames")?.as_array().cloned())
        .flatten()
        .filter_map(|name| Some(PathBuf::from(name.as_str()?)))
        .find(|path| path.ends_with("postern.wasm"))
        .expect("a file named postern.wasm")
}
