//! What the filter asks for on its own: ticks, requests to other servers, metrics, and requests
//! that go on.

use wasmtime::{Linker, Result, bail};

use super::Profile;
use super::calls::{BAD_ARGUMENT, Guest, call, read, write};
use super::headers::decode;
use super::store::{NOT_FOUND, OK};
use super::worker::{Call, Vm};

const COUNTER: u32 = 0;
const GAUGE: u32 = 1;

pub(super) fn link(linker: &mut Linker<Vm>) -> Result<()> {
    contexts(linker)?;
    requests(linker)?;
    metrics(linker)
}

fn contexts(linker: &mut Linker<Vm>) -> Result<()> {
    linker.func_wrap(
        "env",
        "proxy_set_tick_period_milliseconds",
        |mut g: Guest<'_>, period: u32| {
            call(&mut g, "proxy_set_tick_period_milliseconds", None, |g| {
                let vm = g.data_mut();
                let now = vm.world.borrow().now;
                // Of a stream, too, though the filter makes nothing of its ticks.
                vm.ticks.insert(vm.context, (period, now));
                Ok(OK)
            })
        },
    )?;
    linker.func_wrap("env", "proxy_set_effective_context", |mut g: Guest<'_>, context: u32| {
        call(&mut g, "proxy_set_effective_context", None, |g| {
            let vm = g.data_mut();
            if let Some(stream) = vm.stream.take() {
                vm.parked.insert(vm.context, stream);
            }
            vm.context = context;
            vm.stream = vm.parked.remove(&context);
            let is_there = vm.stream.is_some() || vm.roots.contains(&context);
            Ok(if is_there { OK } else { BAD_ARGUMENT })
        })
    })?;
    linker.func_wrap("env", "proxy_continue_stream", |mut g: Guest<'_>, kind: u32| {
        call(&mut g, "proxy_continue_stream", None, |g| match &mut g.data_mut().stream {
            Some(stream) if kind == 0 => {
                stream.resumed = true;
                Ok(OK)
            }
            _ => Ok(BAD_ARGUMENT),
        })
    })?;
    Ok(())
}

fn requests(linker: &mut Linker<Vm>) -> Result<()> {
    linker.func_wrap(
        "env",
        "proxy_http_call",
        |mut g: Guest<'_>,
         upstream: u32,
         upstream_size: u32,
         headers: u32,
         headers_size: u32,
         body: u32,
         body_size: u32,
         _trailers: u32,
         _trailers_size: u32,
         timeout: u32,
         token: u32| {
            call(&mut g, "proxy_http_call", None, |g| {
                let upstream = read(g, upstream, upstream_size)?;
                let upstream = String::from_utf8_lossy(&upstream).into_owned();
                let headers = decode(&read(g, headers, headers_size)?);
                let body = read(g, body, body_size)?;
                let vm = g.data();
                if vm.configures && vm.profile == Profile::Nginx {
                    bail!("the worker exits: a request was sent while configuring");
                }
                let Some(headers) = headers else { return Ok(BAD_ARGUMENT) };
                let mut world = vm.world.borrow_mut();
                let is_known = world.upstreams.contains(&upstream);
                if !is_known && vm.profile != Profile::Nginx {
                    return Ok(BAD_ARGUMENT);
                }
                world.next_call += 1;
                let id = world.next_call;
                let (root, worker) = (vm.context, vm.number);
                world.calls.push(Call { id, root, worker, upstream, headers, body, timeout });
                drop(world);
                write(g, token, &id.to_le_bytes())
            })
        },
    )?;
    Ok(())
}

fn metrics(linker: &mut Linker<Vm>) -> Result<()> {
    linker.func_wrap(
        "env",
        "proxy_define_metric",
        |mut g: Guest<'_>, kind: u32, name: u32, size: u32, metric: u32| {
            call(&mut g, "proxy_define_metric", None, |g| {
                let name = String::from_utf8_lossy(&read(g, name, size)?).into_owned();
                if kind != GAUGE && kind != COUNTER {
                    return Ok(BAD_ARGUMENT);
                }
                if name.len() > 256 && g.data().profile == Profile::Nginx {
                    bail!("a metric's name is too long");
                }
                let vm = g.data_mut();
                vm.metrics.push(name);
                let id = u32::try_from(vm.metrics.len())?;
                write(g, metric, &id.to_le_bytes())
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_increment_metric",
        |mut g: Guest<'_>, metric: u32, by: i64| {
            call(&mut g, "proxy_increment_metric", None, |g| {
                let at = usize::try_from(metric)?.checked_sub(1);
                let name = at.and_then(|at| g.data().metrics.get(at).cloned());
                let Some(name) = name else { return Ok(BAD_ARGUMENT) };
                let mut world = g.data().world.borrow_mut();
                *world.gauges.entry(name).or_default() += u64::try_from(by)?;
                Ok(OK)
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_record_metric",
        |mut g: Guest<'_>, metric: u32, value: u64| {
            call(&mut g, "proxy_record_metric", None, |g| {
                let at = usize::try_from(metric)?.checked_sub(1);
                let name = at.and_then(|at| g.data().metrics.get(at).cloned());
                let Some(name) = name else { return Ok(NOT_FOUND) };
                g.data().world.borrow_mut().gauges.insert(name, value);
                Ok(OK)
            })
        },
    )?;
    Ok(())
}
