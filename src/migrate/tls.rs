//! TLS around a link, by rustls: version 1.3, both sides show a certificate of the same authority.
//!
//! The files are where QEMU expects them, in one folder: `ca-cert.pem`, and for the side that listens `server-cert.pem` and `server-key.pem`, for the other one
//! `client-cert.pem` and `client-key.pem`. There is no way to leave the check of the other side's certificate out: a guest's memory is all its secrets.

use crate::error::Error;
use crate::error::Result;
use crate::migrate::frame::Broken;
use crate::migrate::link::Link;
use crate::migrate::link::Stop;
use crate::migrate::target::Door;
use rustls::ClientConfig;
use rustls::ClientConnection;
use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::ServerConnection;
use rustls::StreamOwned;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::ServerName;
use rustls::pki_types::pem::PemObject;
use rustls::server::WebPkiClientVerifier;
use std::io::Read;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

/// The certificates of one side.
#[derive(Clone)]
pub enum Tls {
    /// Of the side that connects, with the name that the other one's certificate must have.
    Client(Arc<ClientConfig>, ServerName<'static>),
    /// Of the side that listens.
    Server(Arc<ServerConfig>),
}

fn refuse(file: &Path, problem: impl std::fmt::Display) -> Error {
    Error::config(
        "tls",
        format!("{}: {problem}", file.display()),
        "name a folder with ca-cert.pem and server-cert.pem, server-key.pem (or client-…), in PEM",
    )
}

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn authorities(folder: &Path) -> Result<Arc<RootCertStore>> {
    let file = folder.join("ca-cert.pem");
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(&file).map_err(|e| refuse(&file, e))? {
        roots.add(certificate.map_err(|e| refuse(&file, e))?).map_err(|e| refuse(&file, e))?;
    }
    if roots.is_empty() {
        return Err(refuse(&file, "there is no certificate in it"));
    }
    Ok(Arc::new(roots))
}

fn identity(folder: &Path, side: &str) -> Result<Identity> {
    let (certificate, key) = (folder.join(format!("{side}-cert.pem")), folder.join(format!("{side}-key.pem")));
    let chain = CertificateDer::pem_file_iter(&certificate).and_then(Iterator::collect::<std::result::Result<Vec<_>, _>>);
    let chain = chain.map_err(|e| refuse(&certificate, e))?;
    Ok((chain, PrivateKeyDer::from_pem_file(&key).map_err(|e| refuse(&key, e))?))
}

impl Tls {
    /// For the side that connects. `host`: the name in the other side's certificate.
    ///
    /// # Errors
    /// A file is missing or is no certificate or key.
    pub fn client(folder: &Path, host: &str) -> Result<Tls> {
        let name = ServerName::try_from(host.to_string()).map_err(|_| {
            Error::config("tls_hostname", format!("{host:?} is no host's name"), "give the name that the destination's certificate has")
        })?;
        let (chain, key) = identity(folder, "client")?;
        let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(|e| refuse(folder, e))?;
        let config =
            builder.with_root_certificates(authorities(folder)?).with_client_auth_cert(chain, key).map_err(|e| refuse(folder, e))?;
        Ok(Tls::Client(Arc::new(config), name))
    }

    /// For the side that listens.
    ///
    /// # Errors
    /// As for [`Tls::client`].
    pub fn server(folder: &Path) -> Result<Tls> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(authorities(folder)?, provider.clone());
        let verifier = verifier.build().map_err(|e| refuse(folder, e))?;
        let (chain, key) = identity(folder, "server")?;
        let builder = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(|e| refuse(folder, e))?;
        let config = builder.with_client_cert_verifier(verifier).with_single_cert(chain, key).map_err(|e| refuse(folder, e))?;
        Ok(Tls::Server(Arc::new(config)))
    }

    /// The link with TLS around it. Hands are shaken with the first bytes.
    pub fn wrap(&self, link: Box<dyn Link>) -> std::result::Result<Box<dyn Link>, rustls::Error> {
        Ok(match self {
            Tls::Client(config, name) => Box::new(Secure(StreamOwned::new(ClientConnection::new(config.clone(), name.clone())?, link))),
            Tls::Server(config) => Box::new(Secure(StreamOwned::new(ServerConnection::new(config.clone())?, link))),
        })
    }
}

struct Secure<C, D>(StreamOwned<C, Box<dyn Link>>)
where
    C: std::ops::DerefMut<Target = rustls::ConnectionCommon<D>>,
    D: rustls::SideData;

macro_rules! secure {
    ($($connection:ty, $side:ty;)*) => {$(
        impl Read for Secure<$connection, $side> {
            fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
                self.0.read(buf)
            }
        }
        impl Write for Secure<$connection, $side> {
            fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
                self.0.write(buf)
            }
            fn flush(&mut self) -> std::io::Result<()> {
                self.0.flush()
            }
        }
        impl Link for Secure<$connection, $side> {}
    )*};
}
secure! {
    ClientConnection, rustls::client::ClientConnectionData;
    ServerConnection, rustls::server::ServerConnectionData;
}

/// A door whose connections get TLS.
pub struct SecureDoor<D: Door> {
    /// Where they come from.
    pub door: D,
    /// The certificates.
    pub tls: Tls,
}

impl<D: Door> Door for SecureDoor<D> {
    fn next(&mut self, stop: &Stop) -> std::result::Result<Box<dyn Link>, Broken> {
        let link = self.door.next(stop)?;
        self.tls.wrap(link).map_err(|e| Broken::Io(e.to_string()))
    }
}
