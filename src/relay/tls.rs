//! TLS to NATS, by rustls with the ring provider.
//!
//! async-nats would read the same files, but takes the provider of the process, of which there may be two, and does not say
//! which file is at fault.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use super::connect::{ConnectError, file};

const CA: &str = "a file of authorities (PEM certificates)";
const CERTIFICATE: &str = "the client's certificate (PEM)";
const KEY: &str = "the client's private key (PEM, not encrypted)";

/// Files to use instead of the platform's authorities, and to show the server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Files {
    pub(super) ca: Option<PathBuf>,
    /// Certificate and key.
    pub(super) identity: Option<(PathBuf, PathBuf)>,
}

/// Reads the files, and blocks while it does.
pub(super) fn config(files: &Files) -> Result<ClientConfig, ConnectError> {
    let mut roots = RootCertStore::empty();
    match &files.ca {
        Some(path) => {
            for certificate in certificates(CA, path)? {
                roots.add(certificate).map_err(|source| file(CA, path, source))?;
            }
        }
        // What cannot be read there is told when a server's certificate is not trusted.
        None => {
            let _ = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(ConnectError::Tls)?
        .with_root_certificates(roots);
    let Some((certificate, key_path)) = &files.identity else {
        return Ok(builder.with_no_client_auth());
    };
    let chain = certificates(CERTIFICATE, certificate)?;
    let key =
        PrivateKeyDer::from_pem_file(key_path).map_err(|source| file(KEY, key_path, source))?;
    builder.with_client_auth_cert(chain, key).map_err(|source| file(KEY, key_path, source))
}

fn certificates(
    what: &'static str,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, ConnectError> {
    let found =
        CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match found.map_err(|source| file(what, path, source))? {
        found if found.is_empty() => {
            Err(file(what, path, io::Error::other("no certificate in it")))
        }
        found => Ok(found),
    }
}
