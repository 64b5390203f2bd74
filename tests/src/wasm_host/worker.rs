//! One worker: one VM.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use wasmtime::{Instance, Linker, Memory, Result, Store as Machine, WasmParams, format_err};

use super::headers::{Field, HeaderMap};
use super::{Filter, Profile, Store, calls, wasi};

/// How a function of the host fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// With this status.
    Status(u32),
    /// It says that all is well, and did nothing.
    Silent,
    /// It says that all is well, and that its answer is in memory nobody asked for.
    Elsewhere,
    /// It ends the VM.
    Trap,
}

/// What all workers share.
pub(super) struct World {
    /// Nanoseconds since the Unix epoch.
    pub(super) now: u64,
    pub(super) log: Vec<(u32, String)>,
    pub(super) store: Store,
    /// Servers that the filter can send requests to.
    pub(super) upstreams: BTreeSet<String>,
    /// Requests that nobody has answered yet.
    pub(super) calls: Vec<Call>,
    pub(super) next_call: u32,
    /// Gauges by name; all workers set the same ones.
    pub(super) gauges: BTreeMap<String, u64>,
}

/// A request of the filter's own.
#[derive(Clone, Debug)]
pub struct Call {
    /// Its number within the proxy.
    pub id: u32,
    /// Which of the workers sent it, by the root that did.
    pub(super) root: u32,
    pub(super) worker: u64,
    /// The server's name.
    pub upstream: String,
    /// The header fields.
    pub headers: Vec<Field>,
    /// The body.
    pub body: Vec<u8>,
    /// Milliseconds for the answer.
    pub timeout: u32,
}

/// An answer to a [`Call`].
pub(super) struct CallResponse {
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    pub(super) trailers: HeaderMap,
}

impl Call {
    /// Whether it is one of gRPC.
    fn is_grpc(&self) -> bool {
        let is_type =
            |(name, value): &Field| name == b"content-type" && value == b"application/grpc";
        self.headers.iter().any(is_type)
    }
}

/// What the host's functions work on.
pub(super) struct Vm {
    pub(super) profile: Profile,
    pub(super) world: Rc<RefCell<World>>,
    /// Where its random numbers are; another place in each VM.
    randomness: u64,
    pub(super) configuration: Vec<u8>,
    pub(super) stream: Option<Stream>,
    /// Requests that are held.
    pub(super) parked: BTreeMap<u32, Stream>,
    /// The answer that the filter is being told of.
    pub(super) call_response: Option<CallResponse>,
    /// Milliseconds between ticks of a root, and when the last one was, in nanoseconds.
    pub(super) ticks: BTreeMap<u32, (u32, u64)>,
    /// Whether the filter is being configured.
    pub(super) configures: bool,
    /// Names of metrics, each at its number.
    pub(super) metrics: Vec<String>,
    /// Which of the proxy's workers it is.
    pub(super) number: u64,
    pub(super) calls: BTreeMap<&'static str, u32>,
    pub(super) faults: BTreeMap<&'static str, Fault>,
    /// Whether each function of the host calls the filter back before it answers.
    pub(super) interrupts: bool,
    /// The root context.
    pub(super) root: u32,
    /// All root contexts that are there.
    pub(super) roots: BTreeSet<u32>,
    /// The context of the request the worker is busy with.
    pub(super) context: u32,
    memory: Option<Memory>,
}

impl Vm {
    pub(super) fn memory(&self) -> Result<Memory> {
        self.memory.ok_or_else(|| format_err!("the filter has no memory"))
    }

    /// A byte that looks random and is the same in every run.
    pub(super) fn random(&mut self) -> u8 {
        self.randomness = self.randomness.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.randomness ^ (self.randomness >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let [.., high] = mixed.to_le_bytes();
        high
    }
}

/// The request a worker is busy with.
pub(super) struct Stream {
    pub(super) request: HeaderMap,
    /// `None` until the upstream has answered.
    pub(super) response: Option<HeaderMap>,
    pub(super) properties: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(super) set_properties: BTreeMap<String, Vec<u8>>,
    pub(super) reply: Option<LocalReply>,
    /// Whether the filter let it go on after it was held.
    pub(super) resumed: bool,
}

pub(super) struct LocalReply {
    pub(super) status: u16,
    pub(super) headers: Vec<Field>,
    pub(super) body: Vec<u8>,
}

/// One worker: one VM with the filter in it.
pub struct Worker {
    machine: Machine<Vm>,
    instance: Instance,
    next_context: u32,
    counts: bool,
}

impl Worker {
    pub(super) fn new(
        filter: &Filter,
        profile: Profile,
        world: &Rc<RefCell<World>>,
        instance: u64,
    ) -> Result<Self> {
        let vm = Vm {
            profile,
            world: Rc::clone(world),
            randomness: instance,
            configuration: Vec::new(),
            stream: None,
            parked: BTreeMap::new(),
            call_response: None,
            ticks: BTreeMap::new(),
            configures: false,
            metrics: Vec::new(),
            number: instance,
            calls: BTreeMap::new(),
            faults: BTreeMap::new(),
            interrupts: false,
            // nginx names a root by a hash, the others count.
            root: if profile == Profile::Nginx { 0x9e37_79b9 } else { 1 },
            roots: BTreeSet::new(),
            context: 0,
            memory: None,
        };
        let mut machine = Machine::new(&filter.engine, vm);
        if filter.counts {
            machine.set_fuel(profile.fuel())?;
        }
        let mut linker = Linker::new(&filter.engine);
        calls::link(&mut linker)?;
        wasi::link(&mut linker)?;
        let instance = linker.instantiate(&mut machine, &filter.module)?;
        machine.data_mut().memory = instance.get_memory(&mut machine, "memory");
        let mut worker = Self { machine, instance, next_context: 2, counts: filter.counts };
        worker.call::<(), ()>("_initialize", ())?;
        let root = worker.vm().root;
        worker.create_context(root, 0)?;
        Ok(worker)
    }

    /// Starts the VM and hands over the policy; whether the filter took it.
    pub(super) fn configure(&mut self, policy: &[u8]) -> Result<bool> {
        let size = u32::try_from(policy.len())?;
        self.machine.data_mut().configuration = policy.to_vec();
        let root = self.vm().root;
        self.vm().configures = true;
        self.at_root(root);
        let started = self.call::<_, u32>("proxy_on_vm_start", (root, 0))? != 0;
        let taken = started && self.call::<_, u32>("proxy_on_configure", (root, size))? != 0;
        self.vm().configures = false;
        Ok(taken)
    }

    /// Replaces the policy as Envoy does: by a new root, if the filter takes it.
    pub(super) fn reload(&mut self, policy: &[u8]) -> Result<bool> {
        let (old, new) = (self.vm().root, self.next_context);
        self.next_context = new.wrapping_add(1);
        self.create_context(new, 0)?;
        self.vm().root = new;
        let taken = self.configure(policy)?;
        if !taken {
            self.vm().root = old;
        }
        self.close(if taken { old } else { new })?;
        Ok(taken)
    }

    pub(super) fn open_stream(&mut self, stream: Stream) -> Result<u32> {
        let context = self.next_context;
        self.next_context = context.wrapping_add(1);
        let vm = self.vm();
        vm.stream = Some(stream);
        vm.context = context;
        let root = vm.root;
        self.create_context(context, root)?;
        Ok(context)
    }

    /// Whether the filter lets the request go on.
    pub(super) fn request_headers(&mut self, context: u32) -> Result<bool> {
        Ok(self.call::<_, u32>("proxy_on_request_headers", (context, 0, 1))? == 0)
    }

    pub(super) fn response_headers(&mut self, context: u32) -> Result<bool> {
        Ok(self.call::<_, u32>("proxy_on_response_headers", (context, 0, 1))? == 0)
    }

    /// Ticks each root whose time has come.
    pub(super) fn tick(&mut self) -> Result<()> {
        let now = self.vm().world.borrow().now;
        let due =
            |(period, last): (u32, u64)| period > 0 && now >= last + u64::from(period) * 1_000_000;
        let ticks = self.vm().ticks.clone();
        for (root, _) in ticks.into_iter().filter(|(_, tick)| due(*tick)) {
            self.vm().ticks.entry(root).and_modify(|(_, last)| *last = now);
            self.at_root(root);
            self.call::<_, ()>("proxy_on_tick", root)?;
            self.park();
        }
        Ok(())
    }

    /// Hands over the answer to a call of `root`'s; `None`: nobody answered.
    pub(super) fn respond(&mut self, call: &Call, answer: Option<(u16, &[u8])>) -> Result<()> {
        self.at_root(call.root);
        let (headers, size, trailers) = match answer {
            None => (0, 0, 0),
            Some((status, body)) => {
                let status = (b":status".to_vec(), status.to_string().into_bytes());
                let headers = HeaderMap::new(Profile::Envoy, vec![status]);
                let body = body.to_vec();
                let size = u32::try_from(body.len())?;
                let status = (b"grpc-status".to_vec(), b"0".to_vec());
                let trailers = if call.is_grpc() { vec![status] } else { Vec::new() };
                let count = u32::try_from(trailers.len())?;
                let trailers = HeaderMap::new(Profile::Envoy, trailers);
                self.vm().call_response = Some(CallResponse { headers, body, trailers });
                (1, size, count)
            }
        };
        let arguments = (call.root, call.id, headers, size, trailers);
        self.call::<_, ()>("proxy_on_http_call_response", arguments)?;
        self.vm().call_response = None;
        self.park();
        Ok(())
    }

    fn at_root(&mut self, root: u32) {
        self.park();
        self.vm().context = root;
    }

    /// Puts the request at hand aside, if there is one.
    pub(super) fn park(&mut self) {
        let vm = self.vm();
        if let Some(stream) = vm.stream.take() {
            vm.parked.insert(vm.context, stream);
        }
    }

    pub(super) fn close(&mut self, context: u32) -> Result<()> {
        self.vm().ticks.remove(&context);
        self.vm().roots.remove(&context);
        if let Some(stream) = self.vm().parked.remove(&context) {
            self.vm().stream = Some(stream);
            self.vm().context = context;
        }
        self.call("proxy_on_delete", context)
    }

    pub(super) fn vm(&mut self) -> &mut Vm {
        self.machine.data_mut()
    }

    fn create_context(&mut self, context: u32, parent: u32) -> Result<()> {
        if parent == 0 {
            self.vm().roots.insert(context);
        }
        self.call("proxy_on_context_create", (context, parent))
    }

    /// Calls any export with any arguments, as a host that has lost its way would.
    ///
    /// # Errors
    ///
    /// The filter trapped, or has no such export.
    pub fn call<P: WasmParams, R: wasmtime::WasmResults>(
        &mut self,
        export: &str,
        arguments: P,
    ) -> Result<R> {
        if self.counts {
            self.machine.set_fuel(self.machine.data().profile.fuel())?;
        }
        let function = self.instance.get_typed_func(&mut self.machine, export)?;
        function.call(&mut self.machine, arguments)
    }

    /// Instructions the last callback took; none where nobody counts them.
    ///
    /// # Errors
    ///
    /// Never, as long as the engine counts them.
    pub fn fuel(&self) -> Result<u64> {
        if !self.counts {
            return Ok(0);
        }
        Ok(self.machine.data().profile.fuel().saturating_sub(self.machine.get_fuel()?))
    }

    /// Makes a function of the host fail from now on.
    pub fn fail(&mut self, function: &'static str, fault: Fault) {
        self.vm().faults.insert(function, fault);
    }

    /// Lets all functions of the host work again.
    pub fn heal(&mut self) {
        self.vm().faults.clear();
    }

    /// Makes each function of the host call the filter back before it answers, as a proxy that
    /// does not wait its turn would.
    pub fn interrupt(&mut self) {
        self.vm().interrupts = true;
    }

    /// Bytes of memory the VM holds; it never gives any back.
    pub fn memory_size(&self) -> usize {
        self.machine.data().memory.map_or(0, |memory| memory.data_size(&self.machine))
    }
}
