//! Requests as binary HTTP (RFC 9292), padded so that their length says little.

use std::io::Cursor;

use bhttp::Message;

use crate::Error;

/// The least bytes of a padded request; more are a power of two.
pub const MIN_PADDED: usize = 4096;

/// A request: what it asks of whom, and with what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: Vec<u8>,
    /// The scheme, such as `https`.
    pub scheme: Vec<u8>,
    /// Whom it is for: a host, with a port if it is not the scheme's own.
    pub authority: Vec<u8>,
    /// The path with its query.
    pub path: Vec<u8>,
    /// Names, in lower case, and values.
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    /// The content.
    pub body: Vec<u8>,
}

impl Request {
    /// Reads a request. What follows it must be padding.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let malformed = |_| Error::Inside("it cannot be read");
        let mut cursor = Cursor::new(bytes);
        let message = Message::read_bhttp(&mut cursor).map_err(malformed)?;
        let read = usize::try_from(cursor.position()).unwrap_or(usize::MAX);
        let padding = bytes.get(read..).unwrap_or_default();
        if padding.iter().any(|byte| *byte != 0) {
            return Err(Error::Inside("something follows it"));
        }
        let control = message.control();
        let part = |part: Option<&[u8]>| part.map(<[u8]>::to_vec);
        let parts = (
            part(control.method()),
            part(control.scheme()),
            part(control.authority()),
            part(control.path()),
        );
        let (Some(method), Some(scheme), Some(authority), Some(path)) = parts else {
            return Err(Error::Inside("it is no request"));
        };
        if !message.trailer().is_empty() {
            return Err(Error::Inside("it has trailers"));
        }
        let headers = message.header().fields().iter();
        let headers = headers.map(|field| (field.name().to_vec(), field.value().to_vec()));
        Ok(Self {
            method,
            scheme,
            authority,
            path,
            headers: headers.collect(),
            body: message.content().to_vec(),
        })
    }

    /// Writes it, padded to a power of two from [`MIN_PADDED`] on.
    pub fn encode_padded(&self) -> Result<Vec<u8>, Error> {
        let mut message = Message::request(
            self.method.clone(),
            self.scheme.clone(),
            self.authority.clone(),
            self.path.clone(),
        );
        for (name, value) in &self.headers {
            message.put_header(name.clone(), value.clone());
        }
        message.write_content(&self.body);
        let mut bytes = Vec::new();
        message
            .write_bhttp(bhttp::Mode::KnownLength, &mut bytes)
            .map_err(|_| Error::Inside("it cannot be written"))?;
        let padded = bytes.len().max(MIN_PADDED).checked_next_power_of_two();
        bytes.resize(padded.ok_or(Error::Inside("it is too long"))?, 0);
        Ok(bytes)
    }
}
