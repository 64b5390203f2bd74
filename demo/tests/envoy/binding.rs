//! Bound tokens in a real Envoy with two workers: proofs that are good once, nonces that all
//! workers know, and certificates shown in a real TLS handshake.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use postern_cli::mint::{Algorithm, PrivateKey, Proof};
use postern_demo::cast::{ADA, AUDIENCE, SUPPORT_BOT, acting, human};
use postern_demo::client::{Request, Response};
use postern_demo::{Lab, Settings, clock, repository};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

fn settings(binding: &Value) -> Settings {
    let mut settings = Settings::from_env().unwrap();
    settings.policy["limits"] = json!({});
    settings.policy["binding"] = binding.clone();
    settings
}

fn code(response: &Response) -> String {
    response.code().unwrap_or_default()
}

/// A client with a key, and a token that is bound to it.
struct Client {
    key: PrivateKey,
    token: String,
}

impl Client {
    fn new(lab: &Lab) -> Self {
        let key = PrivateKey::generate(Algorithm::Es256).unwrap();
        let token = human(ADA, "crm.read").bound_to_key(&key.thumbprint());
        Self { key, token: token.sign(&lab.cast.login).unwrap() }
    }

    fn request(&self, nonce: Option<&str>) -> Request {
        let url = format!("{AUDIENCE}/v1/contacts");
        let proof = Proof::new("GET", &url, clock::now()).token(&self.token);
        let proof = nonce.into_iter().fold(proof, |proof, nonce| proof.nonce(nonce));
        Request::get("/v1/contacts?page=2").dpop(&self.token, &proof.sign(&self.key).unwrap())
    }
}

#[test]
fn rfc9449_11_1_of_many_that_use_one_proof_at_once_one_gets_through() {
    let lab = Lab::start(settings(&json!({ "dpop": { "origin": AUDIENCE } }))).unwrap();
    let client = Client::new(&lab);
    let to = lab.address();
    for _ in 0..8 {
        let request = client.request(None);
        let codes: Vec<_> = thread::scope(|scope| {
            let senders: Vec<_> =
                (0..16).map(|_| scope.spawn(|| request.send(to).unwrap())).collect();
            senders.into_iter().map(|sender| code(&sender.join().unwrap())).collect()
        });
        let count = |code: &str| codes.iter().filter(|one| *one == code).count();
        assert_eq!((count(""), count("invalid_dpop_proof")), (1, 15), "{codes:?}");
    }
}

#[test]
fn rfc9449_9_a_client_that_is_sent_a_nonce_gets_through_with_it_on_every_worker() {
    let binding = json!({ "dpop": { "origin": AUDIENCE, "nonce": true } });
    let lab = Lab::start(settings(&binding)).unwrap();
    let client = Client::new(&lab);
    let refused = lab.send(&client.request(None)).unwrap();
    assert_eq!((refused.status, code(&refused).as_str()), (401, "use_dpop_nonce"));
    let challenges: Vec<_> = refused.all("www-authenticate").collect();
    assert!(challenges.iter().any(|one| one.starts_with("DPoP error=\"use_dpop_nonce\"")));
    assert!(challenges.iter().any(|one| one.starts_with("Bearer ")), "{challenges:?}");
    let nonce = refused.header("dpop-nonce").unwrap();
    for _ in 0..32 {
        let response = lab.send(&client.request(Some(nonce))).unwrap();
        assert_eq!(response.status, 200, "{response:?}");
    }
}

/// A certificate of somebody's own making, and its key.
struct Identity {
    certificate: CertificateDer<'static>,
    key: PrivatePkcs8KeyDer<'static>,
    pem: (String, String),
}

impl Identity {
    fn new(name: &str) -> Self {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed([name.to_owned()]).unwrap();
        Self {
            certificate: cert.der().clone(),
            key: signing_key.serialize_der().into(),
            pem: (cert.pem(), signing_key.serialize_pem()),
        }
    }

    fn digest(&self) -> [u8; 32] {
        Sha256::digest(&self.certificate).into()
    }

    fn digits(&self) -> String {
        self.digest().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// What stands in the place of what Envoy is to do with the header about certificates: nothing.
const UNBELIEVED: &str = "# The header is not to be believed.";

/// A lab that is reached by TLS, and asks its callers for certificates of whatever making.
struct Secure {
    lab: Lab,
    server: Identity,
    _files: Files,
}

/// Files that go away when dropped.
struct Files(Vec<PathBuf>);

impl Drop for Files {
    fn drop(&mut self) {
        for path in &self.0 {
            drop(fs::remove_file(path));
        }
    }
}

impl Secure {
    fn start(name: &str, mut settings: Settings, forwards: &str) -> Self {
        let server = Identity::new("localhost");
        let run = repository().join(".run");
        fs::create_dir_all(&run).unwrap();
        let path = |kind: &str| run.join(format!("{}-{name}.{kind}.pem", std::process::id()));
        let (certificate, key) = (path("certificate"), path("key"));
        fs::write(&certificate, &server.pem.0).unwrap();
        fs::write(&key, &server.pem.1).unwrap();
        let socket = json!({
            "name": "envoy.transport_sockets.tls",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
                "common_tls_context": {
                    "tls_certificates": [{
                        "certificate_chain": { "filename": certificate.clone() },
                        "private_key": { "filename": key.clone() },
                    }],
                    "validation_context": { "trust_chain_verification": "ACCEPT_UNTRUSTED" },
                },
            },
        });
        settings.edits = vec![
            (
                "    filter_chains:\n    - filters:".to_owned(),
                format!("    filter_chains:\n    - transport_socket: {socket}\n      filters:"),
            ),
            (
                "use_remote_address: true\n".to_owned(),
                format!("use_remote_address: true\n          {forwards}\n"),
            ),
        ];
        let lab = Lab::start(settings).unwrap();
        Self { lab, server, _files: Files(vec![certificate, key]) }
    }

    /// Sends a request by TLS, showing this certificate or none.
    fn send(&self, request: &Request, client: Option<&Identity>) -> Response {
        let mut roots = RootCertStore::empty();
        roots.add(self.server.certificate.clone()).unwrap();
        let config = ClientConfig::builder().with_root_certificates(roots);
        let config = match client {
            None => config.with_no_client_auth(),
            Some(identity) => {
                let key = PrivateKeyDer::Pkcs8(identity.key.clone_key());
                config.with_client_auth_cert(vec![identity.certificate.clone()], key).unwrap()
            }
        };
        let to: SocketAddr = self.lab.address();
        let name = ServerName::try_from("localhost").unwrap();
        let connection = ClientConnection::new(Arc::new(config), name).unwrap();
        let mut stream = StreamOwned::new(connection, TcpStream::connect(to).unwrap());
        request.send_over(&mut stream, to).unwrap()
    }

    /// What Ada sends with a token that is bound to this certificate.
    fn bound_to(&self, identity: &Identity) -> Request {
        let token = human(ADA, "crm.read").bound_to_certificate(&identity.digest());
        Request::get("/v1/contacts").bearer(&token.sign(&self.lab.cast.login).unwrap())
    }
}

#[test]
fn rfc8705_3_a_token_is_good_with_the_certificate_of_the_handshake_and_no_other() {
    let secure = Secure::start("connection", settings(&json!({ "mtls": {} })), UNBELIEVED);
    let (owner, thief) = (Identity::new("owner"), Identity::new("thief"));
    let request = secure.bound_to(&owner);
    // Often enough that each worker has seen the token before.
    for _ in 0..8 {
        assert_eq!(secure.send(&request, Some(&owner)).status, 200);
        for client in [None, Some(&thief)] {
            let refused = secure.send(&request, client);
            assert_eq!((refused.status, code(&refused).as_str()), (401, "unbound_token"));
        }
    }
    let forged = request.header("X-Forwarded-Client-Cert", format!("Hash={}", owner.digits()));
    assert_eq!(code(&secure.send(&forged, Some(&thief))), "unbound_token");
    let bearer = human(ADA, "crm.read").sign(&secure.lab.cast.login).unwrap();
    let bearer = Request::get("/v1/contacts").bearer(&bearer);
    assert_eq!(secure.send(&bearer, None).status, 200);
}

#[test]
fn a_certificate_in_envoy_s_own_header_is_read_and_a_forged_one_overwritten() {
    let binding = json!({ "mtls": { "certificate": "x-forwarded-client-cert" } });
    let forwards = "forward_client_cert_details: SANITIZE_SET\n          \
                    set_current_client_cert_details: { subject: true, dns: true, uri: true }";
    let secure = Secure::start("header", settings(&binding), forwards);
    let (owner, thief) = (Identity::new("owner"), Identity::new("thief"));
    let request = secure.bound_to(&owner);
    let response = secure.send(&request, Some(&owner));
    assert_eq!(response.status, 200, "{response:?}");
    assert!(response.echo().unwrap().all("x-forwarded-client-cert").is_empty());
    let forged = request.header("X-Forwarded-Client-Cert", format!("Hash={}", owner.digits()));
    for client in [None, Some(&thief)] {
        let refused = secure.send(&forged, client);
        assert_eq!((refused.status, code(&refused).as_str()), (401, "unbound_token"));
    }
}

#[test]
fn where_envoy_removes_the_header_as_it_does_by_default_nobody_can_forge_it() {
    let binding = json!({ "mtls": { "certificate": "x-forwarded-client-cert" } });
    let lab = Lab::start(settings(&binding)).unwrap();
    let digest = [7; 32];
    let token = human(ADA, "crm.read").bound_to_certificate(&digest);
    let request = Request::get("/v1/contacts").bearer(&token.sign(&lab.cast.login).unwrap());
    // The second is another header to Envoy, and the same to many a backend.
    for name in ["X-Forwarded-Client-Cert", "X_Forwarded_Client_Cert"] {
        let forged = request.clone().header(name, format!("Hash={}", "07".repeat(32)));
        let refused = lab.send(&forged).unwrap();
        assert_eq!((refused.status, code(&refused).as_str()), (401, "unbound_token"), "{name}");
    }
}

#[test]
fn what_a_proxy_says_of_an_agent_counts_if_its_certificate_is_trusted_and_from_nobody_else() {
    let (hop, other) = (Identity::new("hop"), Identity::new("other"));
    let mut settings = settings(&json!({ "mtls": {} }));
    settings.policy["attributes"]["certainty"] =
        json!({ "type": "number", "header": "x-agent-certainty" });
    settings.policy["trusted_hops"] = json!([hop.digits()]);
    settings.policy["agents"][SUPPORT_BOT]["require"] = json!(["agent.certainty >= 0.8"]);
    let secure = Secure::start("hop", settings, UNBELIEVED);
    let token = acting(SUPPORT_BOT, ADA, "crm.read").sign(&secure.lab.cast.login).unwrap();
    let read = Request::get("/v1/contacts").bearer(&token);
    let sure = read.clone().header("x-agent-certainty", "0.9");
    for _ in 0..4 {
        assert_eq!(secure.send(&sure, Some(&hop)).status, 200);
        for client in [None, Some(&other)] {
            assert_eq!(code(&secure.send(&sure, client)), "condition_error");
        }
    }
    let unsure = read.clone().header("x-agent-certainty", "0.7");
    assert_eq!(code(&secure.send(&unsure, Some(&hop))), "condition_failed");
    assert_eq!(code(&secure.send(&read, Some(&hop))), "condition_error");
    let twice = sure.header("x-agent-certainty", "1");
    assert_eq!(code(&secure.send(&twice, Some(&hop))), "attribute_invalid");
}
