//! Where the files of a directory are: in a folder, or at an address.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    time::Duration,
};

use chrysalis_collateral::Http;

/// How long one file may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// The files of a directory.
pub trait Source {
    /// A file of at most so many bytes; `None` where there is none.
    fn get(&self, name: &str, most: usize) -> Result<Option<Vec<u8>>, Unread>;

    /// The names in a folder; `None` where nobody says.
    fn names(&self, folder: &str) -> Result<Option<Vec<String>>, Unread>;

    /// A file that has to be there.
    fn need(&self, name: &str, most: usize) -> Result<Vec<u8>, Unread> {
        self.get(name, most)?.ok_or_else(|| Unread {
            file: name.to_owned(),
            why: "it is not there; name the folder or the address of a directory".to_owned(),
        })
    }
}

/// A file could not be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {file}: {why}")]
pub struct Unread {
    file: String,
    why: String,
}

impl Unread {
    fn new(file: &str, why: &(impl ToString + ?Sized)) -> Self {
        Self {
            file: file.to_owned(),
            why: why.to_string(),
        }
    }
}

/// A folder.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// This one.
    pub fn at(folder: &Path) -> Self {
        Self(folder.to_owned())
    }
}

impl Source for Folder {
    fn get(&self, name: &str, most: usize) -> Result<Option<Vec<u8>>, Unread> {
        let file = match File::open(self.0.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file.map_err(|error| Unread::new(name, &error))?,
        };
        let mut bytes = Vec::new();
        let read = file.take(most as u64 + 1).read_to_end(&mut bytes);
        read.map_err(|error| Unread::new(name, &error))?;
        within(name, bytes, most).map(Some)
    }

    fn names(&self, folder: &str) -> Result<Option<Vec<String>>, Unread> {
        let entries = match fs::read_dir(self.0.join(folder)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Some(Vec::new())),
            entries => entries.map_err(|error| Unread::new(folder, &error))?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| Unread::new(folder, &error))?;
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(Some(names))
    }
}

fn within(name: &str, bytes: Vec<u8>, most: usize) -> Result<Vec<u8>, Unread> {
    if bytes.len() > most {
        return Err(Unread::new(
            name,
            &format_args!("it has more than {most} bytes"),
        ));
    }
    Ok(bytes)
}

/// An address.
#[derive(Debug)]
pub struct Web {
    http: Http,
    url: String,
}

impl Web {
    /// This one.
    pub fn at(url: &str) -> Result<Self, Unread> {
        if !url.starts_with("https://") && !url.starts_with("http://") {
            return Err(Unread::new(url, "its address is not http:// or https://"));
        }
        Ok(Self {
            http: Http::new(),
            url: url.trim_end_matches('/').to_owned(),
        })
    }
}

impl Source for Web {
    fn get(&self, name: &str, most: usize) -> Result<Option<Vec<u8>>, Unread> {
        let url = format!("{}/{name}", self.url);
        let said = self.http.get(&url, most as u64, PATIENCE);
        let said = said.map_err(|why| Unread::new(&url, &why))?;
        match said.status {
            200 => Ok(Some(said.body)),
            404 => Ok(None),
            other => Err(Unread::new(&url, &format_args!("it answered {other}"))),
        }
    }

    fn names(&self, _folder: &str) -> Result<Option<Vec<String>>, Unread> {
        Ok(None)
    }
}
