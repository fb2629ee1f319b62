//! Migration through TLS, and who is not let in.

use crate::migrate::BUSY;
use crate::migrate::PAGES;
use crate::migrate::guest::Guest;
use crate::migrate::judge;
use crate::migrate::quick;
use rcgen::BasicConstraints;
use rcgen::CertificateParams;
use rcgen::IsCa;
use rcgen::Issuer;
use rcgen::KeyPair;
use spapr::migrate::Handle;
use spapr::migrate::address::Address;
use spapr::migrate::address::Listener;
use spapr::migrate::address::connect;
use spapr::migrate::source;
use spapr::migrate::source::Open;
use spapr::migrate::target;
use spapr::migrate::tls::SecureDoor;
use spapr::migrate::tls::Tls;
use std::path::Path;
use std::path::PathBuf;

/// A folder of an authority of its own, with certificates for both sides.
fn folder(name: &str) -> PathBuf {
    let at = std::env::temp_dir().join(format!("spapr-tls-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&at).unwrap();
    let mut ca = CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_key = KeyPair::generate().unwrap();
    std::fs::write(at.join("ca-cert.pem"), ca.self_signed(&ca_key).unwrap().pem()).unwrap();
    let issuer = Issuer::new(ca, ca_key);
    for side in ["server", "client"] {
        let (params, key) = (CertificateParams::new(vec!["vm.example".into()]).unwrap(), KeyPair::generate().unwrap());
        std::fs::write(at.join(format!("{side}-cert.pem")), params.signed_by(&key, &issuer).unwrap().pem()).unwrap();
        std::fs::write(at.join(format!("{side}-key.pem")), key.serialize_pem()).unwrap();
    }
    at
}

/// Moves a guest; what the source says.
fn run(server: &Path, client: Option<&Path>, host: &str) -> Result<(), String> {
    let (from, to) = (Guest::running(PAGES, BUSY), Guest::new(PAGES, BUSY));
    let listener = Listener::bind(&Address::parse("tcp:127.0.0.1:0").unwrap()).unwrap();
    let address = Address::parse(&listener.address()).unwrap();
    let mut door = SecureDoor { door: listener, tls: Tls::server(server).unwrap() };
    let (outcome, arrived) = std::thread::scope(|s| {
        let options = quick();
        let (to, stall) = (&to, options.stall);
        let target = s.spawn(move || target::run(to.as_ref(), &mut door, stall, &Handle::new(None)));
        let mut links = connect(&address, 2).unwrap();
        if let Some(folder) = client {
            let tls = Tls::client(folder, host).unwrap();
            links = links.into_iter().map(|l| tls.wrap(l).unwrap()).collect();
        }
        (source::run(from.as_ref(), &mut Open(links), &options, &Handle::new(None)), target.join().unwrap())
    });
    judge(&from, &to, &outcome, &arrived).unwrap();
    from.end();
    to.end();
    outcome.map(|_| ()).map_err(|e| e.to_string())
}

#[test]
fn only_who_has_a_certificate_of_the_authority_gets_the_guest() {
    let (ours, theirs) = (folder("ours"), folder("theirs"));
    run(&ours, Some(&ours), "vm.example").unwrap();
    for (client, host) in [(Some(&theirs), "vm.example"), (Some(&ours), "other.example"), (None, "")] {
        let text = run(&ours, client.map(PathBuf::as_path), host).unwrap_err();
        assert!(text.contains("phase Hello") && text.contains("never stopped"), "{text}");
    }
    std::fs::remove_file(ours.join("client-key.pem")).unwrap();
    let text = Tls::client(&ours, "vm.example").err().unwrap().to_string();
    assert!(text.contains("client-key.pem") && text.contains("ca-cert.pem"), "{text}");
    for folder in [ours, theirs] {
        std::fs::remove_dir_all(folder).unwrap();
    }
}
