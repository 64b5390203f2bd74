//! The few functions of WASI preview 1 that a Rust module asks for.

use wasmtime::{Caller, Linker, Result, bail};

use super::worker::Vm;

const SUCCESS: u32 = 0;
const BAD_DESCRIPTOR: u32 = 8;

pub(super) fn link(linker: &mut Linker<Vm>) -> Result<()> {
    const WASI: &str = "wasi_snapshot_preview1";
    linker.func_wrap(WASI, "random_get", |mut caller: Caller<'_, Vm>, data: u32, size: u32| {
        let bytes: Vec<u8> = (0..size).map(|_| caller.data_mut().random()).collect();
        super::calls::write(&mut caller, data, &bytes)?;
        Ok(SUCCESS)
    })?;
    linker.func_wrap(
        WASI,
        "environ_sizes_get",
        |mut caller: Caller<'_, Vm>, count: u32, size: u32| {
            super::calls::write(&mut caller, count, &[0; 4])?;
            super::calls::write(&mut caller, size, &[0; 4])?;
            Ok(SUCCESS)
        },
    )?;
    linker.func_wrap(WASI, "environ_get", |_: u32, _: u32| SUCCESS)?;
    linker.func_wrap(
        WASI,
        "clock_time_get",
        |mut caller: Caller<'_, Vm>, _clock: u32, _precision: u64, nanos: u32| {
            let now = caller.data().world.borrow().now;
            super::calls::write(&mut caller, nanos, &now.to_le_bytes())?;
            Ok(SUCCESS)
        },
    )?;
    linker.func_wrap(WASI, "fd_write", |_: u32, _: u32, _: u32, _: u32| BAD_DESCRIPTOR)?;
    linker.func_wrap(WASI, "proc_exit", |code: u32| -> Result<()> {
        bail!("the filter ended itself with code {code}")
    })?;
    Ok(())
}
