//! The functions the host offers: proxy-wasm ABI 0.2.1, as far as the filter uses it.
//!
//! There are no others on purpose: a filter that asks for one does not load.

use wasmtime::{Caller, Extern, Linker, Result, Val, bail, format_err};

use super::Profile;
use super::headers::{HeaderMap, decode, encode};
use super::store::{NOT_FOUND, OK};
use super::worker::{Fault, LocalReply, Vm};

pub(super) const BAD_ARGUMENT: u32 = 2;
const INVALID_MEMORY_ACCESS: u32 = 6;

const CALL_RESPONSE_BODY: u32 = 4;
const PLUGIN_CONFIGURATION: u32 = 7;

const REQUEST_HEADERS: u32 = 0;
const RESPONSE_HEADERS: u32 = 2;
const CALL_RESPONSE_HEADERS: u32 = 6;
const CALL_RESPONSE_TRAILERS: u32 = 7;

pub(super) type Guest<'a> = Caller<'a, Vm>;

pub(super) fn link(linker: &mut Linker<Vm>) -> Result<()> {
    general(linker)?;
    headers(linker)?;
    shared_data(linker)?;
    super::foreign::link(linker)?;
    super::upcalls::link(linker)
}

fn general(linker: &mut Linker<Vm>) -> Result<()> {
    linker.func_wrap(
        "env",
        "proxy_log",
        |mut g: Guest<'_>, level: u32, line: u32, size: u32| {
            call(&mut g, "proxy_log", None, |g| {
                let line = String::from_utf8_lossy(&read(g, line, size)?).into_owned();
                g.data().world.borrow_mut().log.push((level, line));
                Ok(OK)
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_get_current_time_nanoseconds",
        |mut g: Guest<'_>, nanos: u32| {
            call(&mut g, "proxy_get_current_time_nanoseconds", None, |g| {
                let now = g.data().world.borrow().now;
                write(g, nanos, &now.to_le_bytes())
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_get_buffer_bytes",
        |mut g: Guest<'_>, kind: u32, start: u32, max: u32, data: u32, size: u32| {
            call(&mut g, "proxy_get_buffer_bytes", Some((data, size)), |g| {
                let all = match (kind, &g.data().call_response) {
                    (PLUGIN_CONFIGURATION, _) => g.data().configuration.clone(),
                    (CALL_RESPONSE_BODY, Some(answer)) => answer.body.clone(),
                    _ => return Ok(NOT_FOUND),
                };
                let part: Vec<u8> = all.into_iter().skip(index(start)?).take(index(max)?).collect();
                give(g, &part, data, size)
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_get_property",
        |mut g: Guest<'_>, path: u32, path_size: u32, data: u32, size: u32| {
            call(&mut g, "proxy_get_property", Some((data, size)), |g| {
                let path = read(g, path, path_size)?;
                let vm = g.data();
                let Some(stream) = &vm.stream else {
                    if vm.profile == Profile::Nginx {
                        bail!("SIGSEGV: a property was read in a root context");
                    }
                    return Ok(NOT_FOUND);
                };
                if vm.profile == Profile::TrafficServer && path.starts_with(b"source\0") {
                    bail!("the server ended: it was asked for an address");
                }
                match stream.properties.get(&path).cloned() {
                    Some(value) => give(g, &value, data, size),
                    None if vm.profile.missing_is_empty() => give(g, b"", data, size),
                    None => Ok(NOT_FOUND),
                }
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_set_property",
        |mut g: Guest<'_>, path: u32, path_size: u32, value: u32, value_size: u32| {
            call(&mut g, "proxy_set_property", None, |g| {
                let (path, value) = (read(g, path, path_size)?, read(g, value, value_size)?);
                let vm = g.data_mut();
                let Some(stream) = &mut vm.stream else { return Ok(NOT_FOUND) };
                let nginx_variable = path.starts_with(b"ngx\0") || path.starts_with(b"wasmx\0");
                match vm.profile {
                    Profile::Nginx if !nginx_variable => Ok(NOT_FOUND),
                    Profile::TrafficServer => Ok(OK),
                    _ => {
                        let path = String::from_utf8_lossy(&path).replace('\0', ".");
                        stream.set_properties.insert(path, value);
                        Ok(OK)
                    }
                }
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_send_local_response",
        |mut g: Guest<'_>,
         status: u32,
         _details: u32,
         _details_size: u32,
         body: u32,
         body_size: u32,
         headers: u32,
         headers_size: u32,
         _grpc_status: i32| {
            call(&mut g, "proxy_send_local_response", None, |g| {
                let body = read(g, body, body_size)?;
                let headers = decode(&read(g, headers, headers_size)?);
                let Some(stream) = &mut g.data_mut().stream else { return Ok(BAD_ARGUMENT) };
                let (Some(headers), Ok(status)) = (headers, u16::try_from(status)) else {
                    return Ok(BAD_ARGUMENT);
                };
                stream.reply = Some(LocalReply { status, headers, body });
                Ok(OK)
            })
        },
    )?;
    Ok(())
}

fn headers(linker: &mut Linker<Vm>) -> Result<()> {
    linker.func_wrap(
        "env",
        "proxy_get_header_map_pairs",
        |mut g: Guest<'_>, map: u32, data: u32, size: u32| {
            call(&mut g, "proxy_get_header_map_pairs", Some((data, size)), |g| {
                let Some(map) = map_of(g, map) else { return Ok(BAD_ARGUMENT) };
                let pairs = encode(&map.shown());
                give(g, &pairs, data, size)
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_set_header_map_pairs",
        |mut g: Guest<'_>, map: u32, pairs: u32, size: u32| {
            call(&mut g, "proxy_set_header_map_pairs", None, |g| {
                let fields = decode(&read(g, pairs, size)?);
                let (Some(map), Some(fields)) = (map_of(g, map), fields) else {
                    return Ok(BAD_ARGUMENT);
                };
                map.replace(fields);
                Ok(OK)
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_add_header_map_value",
        |mut g: Guest<'_>, map: u32, name: u32, name_size: u32, value: u32, value_size: u32| {
            call(&mut g, "proxy_add_header_map_value", None, |g| {
                let (name, value) = (read(g, name, name_size)?, read(g, value, value_size)?);
                let Some(map) = map_of(g, map) else { return Ok(BAD_ARGUMENT) };
                map.add(name, value);
                Ok(OK)
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_remove_header_map_value",
        |mut g: Guest<'_>, map: u32, name: u32, size: u32| {
            call(&mut g, "proxy_remove_header_map_value", None, |g| {
                let name = read(g, name, size)?;
                let Some(map) = map_of(g, map) else { return Ok(BAD_ARGUMENT) };
                map.remove(&name);
                Ok(OK)
            })
        },
    )?;
    Ok(())
}

fn shared_data(linker: &mut Linker<Vm>) -> Result<()> {
    linker.func_wrap(
        "env",
        "proxy_get_shared_data",
        |mut g: Guest<'_>, key: u32, key_size: u32, data: u32, size: u32, cas: u32| {
            call(&mut g, "proxy_get_shared_data", Some((data, size)), |g| {
                let key = read(g, key, key_size)?;
                let found = g.data().world.borrow_mut().store.get(&key);
                let Some((value, version)) = found else { return Ok(NOT_FOUND) };
                write(g, cas, &version.to_le_bytes())?;
                give(g, &value, data, size)
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_set_shared_data",
        |mut g: Guest<'_>, key: u32, key_size: u32, value: u32, value_size: u32, cas: u32| {
            call(&mut g, "proxy_set_shared_data", None, |g| {
                let (key, value) = (read(g, key, key_size)?, read(g, value, value_size)?);
                Ok(g.data().world.borrow_mut().store.set(&key, &value, cas))
            })
        },
    )?;
    Ok(())
}

/// Counts a call and answers it, or fails it as the test ordered. `answer` is where a call that
/// hands over bytes says where they are.
pub(super) fn call(
    guest: &mut Guest<'_>,
    name: &'static str,
    answer: Option<(u32, u32)>,
    perform: impl FnOnce(&mut Guest<'_>) -> Result<u32>,
) -> Result<u32> {
    *guest.data_mut().calls.entry(name).or_default() += 1;
    if std::mem::take(&mut guest.data_mut().interrupts) {
        interrupt(guest)?;
        guest.data_mut().interrupts = true;
    }
    match (guest.data().faults.get(name).copied(), answer) {
        (None, _) => perform(guest),
        (Some(Fault::Status(status)), _) => Ok(status),
        (Some(Fault::Trap), _) => bail!("the test ordered a trap in `{name}`"),
        (Some(Fault::Silent), _) | (Some(Fault::Elsewhere), None) => Ok(OK),
        (Some(Fault::Elsewhere), Some((data, size))) => {
            write(guest, data, &1024_u32.to_le_bytes())?;
            write(guest, size, &64_u32.to_le_bytes())
        }
    }
}

/// Calls the filter back while it waits for an answer.
fn interrupt(guest: &mut Guest<'_>) -> Result<()> {
    const OTHER: u32 = 0x0bad_cafe;
    let (stream, root) = (guest.data().context, guest.data().root);
    let mut back = |name: &str, arguments: &[Val], results: &mut [Val]| -> Result<()> {
        let export = guest.get_export(name).and_then(Extern::into_func);
        let function = export.ok_or_else(|| format_err!("no `{name}`"))?;
        function.call(&mut *guest, arguments, results)
    };
    let id = |id: u32| Val::I32(id.cast_signed());
    back("proxy_on_context_create", &[id(OTHER), id(root)], &mut [])?;
    for context in [OTHER, stream] {
        let arguments = [id(context), id(0), id(1)];
        back("proxy_on_response_headers", &arguments, &mut [Val::I32(0)])?;
    }
    back("proxy_on_delete", &[id(OTHER)], &mut [])
}

fn map_of<'a>(guest: &'a mut Guest<'_>, map: u32) -> Option<&'a mut HeaderMap> {
    match map {
        CALL_RESPONSE_HEADERS => {
            return Some(&mut guest.data_mut().call_response.as_mut()?.headers);
        }
        CALL_RESPONSE_TRAILERS => {
            return Some(&mut guest.data_mut().call_response.as_mut()?.trailers);
        }
        _ => {}
    }
    let stream = guest.data_mut().stream.as_mut()?;
    match map {
        REQUEST_HEADERS => Some(&mut stream.request),
        RESPONSE_HEADERS => stream.response.as_mut(),
        _ => None,
    }
}

/// Hands bytes over in memory the filter gives; nothing is a null pointer.
pub(super) fn give(guest: &mut Guest<'_>, bytes: &[u8], data: u32, size: u32) -> Result<u32> {
    let length = u32::try_from(bytes.len())?;
    let mut address = 0;
    if length > 0 {
        let export = guest.get_export("proxy_on_memory_allocate").and_then(|e| e.into_func());
        let allocate = export.ok_or_else(|| format_err!("no `proxy_on_memory_allocate`"))?;
        address = allocate.typed::<u32, u32>(&*guest)?.call(&mut *guest, length)?;
        if address == 0 {
            return Ok(INVALID_MEMORY_ACCESS);
        }
        write(guest, address, bytes)?;
    }
    write(guest, data, &address.to_le_bytes())?;
    write(guest, size, &length.to_le_bytes())
}

pub(super) fn read(guest: &Guest<'_>, address: u32, size: u32) -> Result<Vec<u8>> {
    let mut bytes = vec![0; index(size)?];
    guest.data().memory()?.read(guest, index(address)?, &mut bytes)?;
    Ok(bytes)
}

pub(super) fn write(guest: &mut Guest<'_>, address: u32, bytes: &[u8]) -> Result<u32> {
    guest.data().memory()?.write(guest, index(address)?, bytes)?;
    Ok(OK)
}

fn index(n: u32) -> Result<usize> {
    Ok(usize::try_from(n)?)
}
