//! TLS: clients come in through it, with and without certificates of their own, and certificates
//! change while the broker runs. The client is the plain one behind a tunnel that speaks TLS.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ProtocolVersion, RootCertStore};
use warren::auth::{Credentials, Pattern, Permission};
use warren::config::{Config, ExternalLogin, Mechanism, TlsVersion, VerifyPeer};
use warren::server::Server;
use warren::wire::PROTOCOL_HEADER;
use warren::wire::method::{AnyMethod, connection};

use crate::support::{Client, Login, TestBroker};

/// An authority, and a directory for what it signs.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    directory: TempDir,
}

/// A certificate and its key, PEM.
struct Signed {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("good");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "the authority");
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("signed");
        let directory = tempfile::tempdir().expect("a directory");
        fs::write(directory.path().join("ca.pem"), issuer.pem()).expect("written");
        Self { issuer, directory }
    }

    fn sign(&self, host: &str, subject: &str) -> Signed {
        let mut params = CertificateParams::new(vec![host.to_owned()]).expect("good");
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::OrganizationName, "Warren");
        params.distinguished_name.push(DnType::CommonName, subject);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("signed");
        Signed { certificate, key }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Signs a certificate and writes it to `NAME.pem` and `NAME.key`.
    fn write(&self, name: &str, host: &str) -> Signed {
        let signed = self.sign(host, host);
        fs::write(self.file(&format!("{name}.pem")), signed.certificate.pem()).expect("written");
        fs::write(self.file(&format!("{name}.key")), signed.key.serialize_pem()).expect("written");
        signed
    }

    /// Settings that show the certificate `server`.
    fn settings(&self, config: &mut Config) {
        config.tls.certificate = self.file("server.pem");
        config.tls.key = self.file("server.key");
        config.tls.ca = self.file("ca.pem");
        config.tls.amqp_port = 0;
    }

    /// A client that believes this authority and shows a certificate, if it has one.
    fn client(&self, shows: Option<&Signed>) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).expect("a root");
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().expect("versions");
        let builder = builder.with_root_certificates(roots);
        match shows {
            None => builder.with_no_client_auth(),
            Some(Signed { certificate, key }) => {
                let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
                let chain = vec![certificate.der().clone()];
                builder.with_client_auth_cert(chain, key).expect("a client")
            }
        }
    }
}

fn host(name: &str) -> ServerName<'static> {
    ServerName::try_from(name.to_owned()).expect("a name")
}

/// A client whose bytes go through TLS.
fn through_tls(broker: &TestBroker, config: ClientConfig) -> Client {
    let to = broker.server().tls_address().expect("TLS is spoken");
    let address: SocketAddr = broker.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move {
            let (mut plain, _) = listener.accept().await.expect("the client comes");
            let socket = TcpStream::connect(to).await.expect("the broker listens");
            // If the handshake fails, the client hears the end.
            if let Ok(mut tls) =
                TlsConnector::from(Arc::new(config)).connect(host("localhost"), socket).await
            {
                let _ = copy_bidirectional(&mut plain, &mut tls).await;
            }
        });
        address
    });
    Client::new(address)
}

/// The certificate and the version that a client is shown who asks for a host.
fn shown(
    broker: &TestBroker,
    config: ClientConfig,
    name: &str,
) -> Option<(Vec<u8>, Option<ProtocolVersion>)> {
    let to = broker.server().tls_address().expect("TLS is spoken");
    broker.block_on(async {
        let socket = TcpStream::connect(to).await.expect("the broker listens");
        let tls = TlsConnector::from(Arc::new(config)).connect(host(name), socket).await.ok()?;
        let (_, session) = tls.get_ref();
        let certificate = session.peer_certificates()?.first()?.to_vec();
        Some((certificate, session.protocol_version()))
    })
}

#[test]
fn everything_goes_through_tls_as_it_does_without() {
    let authority = Authority::new();
    authority.write("server", "localhost");
    let broker = TestBroker::with(|config| authority.settings(config));
    let mut client = through_tls(&broker, authority.client(None));
    client.log_in(&Login::default());
    client.open_channel(1);
    client.declare("q");
    let large = "x".repeat(1_000_000);
    for body in ["small", &large, ""] {
        client.publish("q", body);
    }
    for body in ["small", &large, ""] {
        let (_, heard) = client.get("q", true).expect("a message");
        assert_eq!(heard.body, body.as_bytes());
    }
    // The plain port is still there, and both lead to the same queues.
    let mut plain = broker.client();
    plain.publish("q", "from the plain side");
    plain.sync();
    assert!(client.get("q", true).is_some());
    client.close();
}

#[test]
fn what_is_no_tls_is_hung_up_on() {
    let authority = Authority::new();
    authority.write("server", "localhost");
    let broker = TestBroker::with(|config| {
        authority.settings(config);
        config.tls.handshake_timeout = 1;
    });
    let address = broker.server().tls_address().expect("TLS is spoken");
    let mut client = Client::new(address);
    client.say(&PROTOCOL_HEADER);
    client.rest();
    // Nor is somebody waited for who says nothing.
    Client::new(address).hears_the_end();
}

/// The mechanisms that a client is offered.
fn offered(client: &mut Client) -> String {
    client.say(&PROTOCOL_HEADER);
    let heard = client.expect(0, 10, 10);
    let AnyMethod::Connection(connection::AMQPMethod::Start(start)) = heard.method else {
        panic!("not a start");
    };
    start.mechanisms.to_string()
}

#[test]
fn a_client_logs_in_with_its_certificate() {
    let authority = Authority::new();
    authority.write("server", "localhost");
    let client_certificate = authority.sign("client.example", "anna");
    let broker = TestBroker::with(|config| {
        authority.settings(config);
        config.tls.verify = VerifyPeer::Peer;
        config.auth.mechanisms = vec![Mechanism::Plain, Mechanism::External];
        config.auth.external_login = ExternalLogin::DistinguishedName;
    });
    let auth = &broker.server().broker().auth;
    let name = "CN=anna,O=Warren";
    auth.put_user(name, Credentials::None, vec![], "test").expect("put");
    let all = || Pattern::parse(".*").expect("good");
    let permission = Permission {
        vhost: "/".into(),
        user: name.into(),
        configure: all(),
        write: all(),
        read: all(),
    };
    auth.put_permission(permission, "test").expect("put");

    let mut client = through_tls(&broker, authority.client(Some(&client_certificate)));
    client.log_in(&Login { mechanism: "EXTERNAL", response: Vec::new(), ..Login::default() });
    client.open_channel(1);
    client.declare("hers");
    client.close();

    // Somebody without a certificate is let in too, and may not use it.
    let mut client = through_tls(&broker, authority.client(None));
    assert_eq!(offered(&mut client), "PLAIN");
    // And nobody is believed whom another authority has signed.
    let other = Authority::new();
    let forged = other.sign("client.example", "anna");
    through_tls(&broker, authority.client(Some(&forged))).hears_the_end();
}

#[test]
fn a_client_without_a_certificate_may_be_refused() {
    let authority = Authority::new();
    authority.write("server", "localhost");
    let broker = TestBroker::with(|config| {
        authority.settings(config);
        config.tls.verify = VerifyPeer::Peer;
        config.tls.fail_if_no_peer_cert = true;
    });
    through_tls(&broker, authority.client(None)).hears_the_end();
    let client_certificate = authority.sign("client.example", "anna");
    let mut client = through_tls(&broker, authority.client(Some(&client_certificate)));
    client.log_in(&Login::default());
    client.close();
}

#[test]
fn each_host_has_its_certificate() {
    let authority = Authority::new();
    let server = authority.write("server", "localhost");
    let other = authority.write("other", "other.example");
    let broker = TestBroker::with(|config| {
        authority.settings(config);
        let file = |name| authority.file(name).display().to_string();
        let (certificate, key) = (file("other.pem"), file("other.key"));
        config.tls.sni = vec![format!("Other.example;{certificate};{key}")];
        config.tls.versions = vec![TlsVersion::V1_2];
    });
    for (name, signed) in [("localhost", &server), ("other.example", &other)] {
        let (certificate, version) = shown(&broker, authority.client(None), name).expect("let in");
        assert!(certificate == signed.certificate.der().to_vec(), "{name}");
        assert_eq!(version, Some(ProtocolVersion::TLSv1_2));
    }
}

#[test]
fn certificates_are_read_again_while_the_broker_runs() {
    let authority = Authority::new();
    let first = authority.write("server", "localhost");
    let broker = TestBroker::with(|config| authority.settings(config));
    let shows = |signed: &Signed| {
        let (certificate, _) = shown(&broker, authority.client(None), "localhost").expect("let in");
        certificate == signed.certificate.der().to_vec()
    };
    assert!(shows(&first));
    let mut client = through_tls(&broker, authority.client(None));
    client.log_in(&Login::default());
    client.open_channel(1);
    let second = authority.write("server", "localhost");
    assert!(shows(&first), "nobody has said so yet");
    broker.server().reload_certificates().expect("good files");
    assert!(shows(&second));
    client.declare("still there");
    // What cannot be used changes nothing, and it is said which file it is.
    fs::write(authority.file("server.key"), "no key").expect("written");
    let why = broker.server().reload_certificates().expect_err("bad files").to_string();
    assert!(why.starts_with("tls.key") && why.contains("server.key"), "{why}");
    assert!(shows(&second));
}

#[test]
fn a_proxy_is_believed_and_has_to_speak() {
    let broker = TestBroker::with(|config| config.amqp.proxies = vec!["127.0.0.0/8".into()]);
    let mut client = broker.stranger();
    client.say(b"PROXY TCP4 127.0.0.9 127.0.0.1 4000 5672\r\n");
    client.log_in(&Login::default());
    client.close();
    // guest may not come from there.
    let mut client = broker.stranger();
    client.say(b"PROXY TCP4 192.0.2.7 127.0.0.1 4000 5672\r\n");
    client.say(&PROTOCOL_HEADER);
    client.expect(0, 10, 10);
    client.method(0, &Login::default().start_ok());
    client.expect(0, 10, 50);
    let mut silent = broker.stranger();
    silent.say(&[PROTOCOL_HEADER, PROTOCOL_HEADER].concat());
    silent.hears_the_end();
}

/// What a port answers to a GET through TLS, head and body.
fn https(broker: &TestBroker, config: ClientConfig, to: Option<SocketAddr>, path: &str) -> String {
    let to = to.expect("TLS is spoken there");
    broker.block_on(async {
        let socket = TcpStream::connect(to).await.expect("the broker listens");
        let tls = TlsConnector::from(Arc::new(config)).connect(host("localhost"), socket).await;
        let mut tls = tls.expect("a certificate to believe");
        let said = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
             Authorization: Basic Z3Vlc3Q6Z3Vlc3Q=\r\n\r\n"
        );
        tls.write_all(said.as_bytes()).await.expect("said");
        let mut heard = String::new();
        tls.read_to_string(&mut heard).await.expect("heard");
        heard
    })
}

#[test]
fn management_and_metrics_with_the_same_certificates() {
    let authority = Authority::new();
    authority.write("server", "localhost");
    let broker = TestBroker::with(|config| {
        authority.settings(config);
        (config.http.https, config.http.https_port) = (true, 0);
        (config.prometheus.https, config.prometheus.https_port) = (true, 0);
    });
    let ports = *broker.server().ports();
    let health = https(&broker, authority.client(None), ports.https, "/health");
    assert!(health.starts_with("HTTP/1.1 200 OK") && health.contains("\"ok\""), "{health}");
    let metrics = https(&broker, authority.client(None), ports.prometheus_tls, "/metrics");
    assert!(metrics.contains("\nrabbitmq_queues 0\n"), "{metrics}");
    // Others are signed by another authority: who believes only the first one is not served.
    let other = Authority::new();
    let signed = other.sign("localhost", "localhost");
    fs::write(authority.file("server.pem"), signed.certificate.pem()).expect("written");
    fs::write(authority.file("server.key"), signed.key.serialize_pem()).expect("written");
    broker.server().reload_certificates().expect("they are good");
    let health = https(&broker, other.client(None), ports.https, "/health");
    assert!(health.starts_with("HTTP/1.1 200 OK"), "{health}");
}

#[test]
fn certificates_that_will_expire_are_told() {
    let authority = Authority::new();
    authority.write("server", "localhost");
    let broker = TestBroker::with(|config| {
        authority.settings(config);
        (config.http.https, config.http.https_port) = (true, 0);
    });
    let ask = |within: &str| {
        let path = format!("/api/health/checks/certificate-expiration/{within}");
        https(&broker, authority.client(None), broker.server().ports().https, &path)
    };
    // rcgen's certificates are good until the year 4096.
    assert!(ask("5/years").starts_with("HTTP/1.1 200"), "{}", ask("5/years"));
    let expiring = ask("3000/years");
    assert!(expiring.starts_with("HTTP/1.1 503"), "{expiring}");
    assert!(expiring.contains("server.pem") && expiring.contains("4096-01-01"), "{expiring}");
    assert!(ask("5/fortnights").starts_with("HTTP/1.1 400"));
}

#[test]
fn https_needs_a_certificate() {
    let mut config = Config::default();
    config.data.dir = std::env::temp_dir().join("warren-has-no-certificate");
    (config.amqp.port, config.http.port, config.prometheus.port) = (0, 0, 0);
    config.http.https = true;
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let refused = runtime.block_on(Server::start(config)).err().expect("refused").to_string();
    assert_eq!(refused, "http.https = true: tls.certificate names no certificate");
}
