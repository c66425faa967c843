//! Where a directory's files come from: an argument, so that tests bring their own.

use std::pin::Pin;

use super::Trouble;

/// A file that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fetched {
    /// It is what it was when it had this `ETag`.
    Unchanged,
    /// It is this.
    Found {
        /// The whole of it.
        body: Vec<u8>,
        /// What to name it by the next time.
        etag: Option<String>,
    },
}

impl Fetched {
    /// Its bytes, where nothing was said of an earlier one.
    pub fn body(self) -> Result<Vec<u8>, Trouble> {
        match self {
            Self::Found { body, .. } => Ok(body),
            Self::Unchanged => Err(Trouble::NotHttp(
                "it says that nothing changed, unasked".into(),
            )),
        }
    }
}

/// The answer to come.
pub type Getting<'a> = Pin<Box<dyn Future<Output = Result<Fetched, Trouble>> + Send + 'a>>;

/// Gets files.
pub trait Source: Send + Sync {
    /// The file at this address, at most so many bytes of it, in bounded time; [`Fetched::Unchanged`] if it still has this `ETag`.
    fn get<'a>(&'a self, url: &'a str, most: usize, etag: Option<&'a str>) -> Getting<'a>;
}
