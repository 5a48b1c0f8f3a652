//! TLS to PostgreSQL, by rustls with the ring provider: what is trusted, and what is checked.

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{
    WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};
use tokio_postgres::config::SslNegotiation;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::connect_error::ConnectError;
use super::dsn::{TlsSettings, Verify};

/// The protocol name that PostgreSQL 17 asks for where TLS starts without a word in clear.
const ALPN: &[u8] = b"postgresql";

/// Builds what opens TLS connections; reads the certificate files, and blocks while it does.
pub(super) fn connector(settings: &TlsSettings) -> Result<MakeRustlsConnect, ConnectError> {
    let provider = Arc::new(ring::default_provider());
    let verifier = Verifier {
        trusted: match settings.verify {
            Verify::Nothing => Vec::new(),
            Verify::Chain | Verify::ChainAndHost => trusted(settings.root.as_deref())?,
        },
        verify: settings.verify,
        algorithms: provider.signature_verification_algorithms,
        roots: RootCertStore::empty(),
    };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable("sslmode", "require", "TLS 1.2 or 1.3", error))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier.with_roots()));
    let mut config = match &settings.identity {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => builder
            .with_client_auth_cert(certificates("sslcert", certificate)?, private_key(key)?)
            .map_err(|error| unusable("sslkey", key, "the key of sslcert", error))?,
    };
    if settings.negotiation == SslNegotiation::Direct {
        config.alpn_protocols = vec![ALPN.to_vec()];
    }
    Ok(MakeRustlsConnect::new(config))
}

fn trusted(root: Option<&str>) -> Result<Vec<CertificateDer<'static>>, ConnectError> {
    match root {
        Some(path) if path != "system" => certificates("sslrootcert", path),
        _ => {
            let mut found = rustls_native_certs::load_native_certs();
            match found.errors.pop() {
                Some(error) if found.certs.is_empty() => {
                    Err(unusable("sslrootcert", "system", "certificates", error))
                }
                _ => Ok(found.certs),
            }
        }
    }
}

fn certificates(
    parameter: &'static str,
    path: &str,
) -> Result<Vec<CertificateDer<'static>>, ConnectError> {
    const HOLDS: &str = "certificates";
    let found =
        CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match found {
        Ok(found) if found.is_empty() => {
            Err(unusable(parameter, path, HOLDS, io::Error::other("no certificate in it")))
        }
        found => found.map_err(|error| unusable(parameter, path, HOLDS, error)),
    }
}

fn private_key(path: &str) -> Result<PrivateKeyDer<'static>, ConnectError> {
    PrivateKeyDer::from_pem_file(path)
        .map_err(|error| unusable("sslkey", path, "a private key that is not encrypted", error))
}

fn unusable(
    parameter: &'static str,
    path: &str,
    holds: &'static str,
    source: impl StdError + Send + Sync + 'static,
) -> ConnectError {
    ConnectError::TlsFile { parameter, path: path.to_owned(), holds, source: Box::new(source) }
}

/// Checks a server as far as its sslmode asks: nothing, its chain, or its chain and its name.
#[derive(Debug)]
struct Verifier {
    verify: Verify,
    trusted: Vec<CertificateDer<'static>>,
    roots: RootCertStore,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Verifier {
    fn with_roots(mut self) -> Self {
        self.roots.add_parsable_certificates(self.trusted.iter().cloned());
        self
    }

    fn verify_chain(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        let certificate = ParsedCertificate::try_from(end_entity)?;
        match verify_server_cert_signed_by_trust_anchor(
            &certificate,
            &self.roots,
            intermediates,
            now,
            self.algorithms.all,
        ) {
            // The quick recipe for a server makes its certificate an authority as well. OpenSSL
            // takes it if it is itself the sslrootcert; webpki says `CaUsedAsEndEntity`, after it
            // looked at the dates.
            Err(Error::InvalidCertificate(CertificateError::Other(_)))
                if self.trusted.iter().any(|trusted| trusted == end_entity) =>
            {
                Ok(())
            }
            result => result,
        }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.verify != Verify::Nothing {
            self.verify_chain(end_entity, intermediates, now)?;
        }
        if self.verify == Verify::ChainAndHost {
            verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    // Signatures are checked in each mode: a server that shows another's certificate without having
    // its key would pass the channel binding of SCRAM, which looks at the certificate alone.
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
