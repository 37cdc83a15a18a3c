//! Where an export goes: to standard output, or to a file that is there when it is whole.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};

/// Something to write an export to.
pub enum Output {
    /// Standard output.
    Standard(BufWriter<io::Stdout>),
    /// A file. Until it is finished it has another name.
    File(Draft),
}

/// A file that is not whole yet. If it never is, it goes.
pub struct Draft {
    file: BufWriter<File>,
    name: PathBuf,
    target: PathBuf,
    is_finished: bool,
}

impl Output {
    /// Opens `target`, or standard output without one. A file that is there is replaced only with
    /// `force`, and not before the export is whole.
    pub fn open(target: Option<PathBuf>, force: bool) -> anyhow::Result<Self> {
        match target {
            None => Ok(Self::Standard(BufWriter::new(io::stdout()))),
            Some(target) => Draft::open(target, force).map(Self::File),
        }
    }

    /// Makes what was written durable, under its name.
    pub fn finish(self) -> anyhow::Result<()> {
        match self {
            Self::Standard(mut output) => output.flush().context("the export cannot be written"),
            Self::File(draft) => {
                let target = draft.target.clone();
                draft.finish().with_context(|| format!("cannot write {}", target.display()))
            }
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Standard(output) => output.write(bytes),
            Self::File(draft) => draft.file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Standard(output) => output.flush(),
            Self::File(draft) => draft.file.flush(),
        }
    }
}

impl Draft {
    fn open(target: PathBuf, force: bool) -> anyhow::Result<Self> {
        if let Ok(there) = fs::symlink_metadata(&target) {
            ensure!(force, "{} is there already; --force replaces it", target.display());
            ensure!(there.is_file(), "{} is not a file", target.display());
        }
        let mut name = OsString::from(&target);
        name.push(".part");
        let name = PathBuf::from(name);
        let file = create(&name).with_context(|| format!("cannot write {}", name.display()))?;
        Ok(Self { file: BufWriter::new(file), name, target, is_finished: false })
    }

    fn finish(mut self) -> io::Result<()> {
        self.file.flush()?;
        self.file.get_ref().sync_all()?;
        fs::rename(&self.name, &self.target)?;
        self.is_finished = true;
        sync_directory(&self.target)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.is_finished {
            // What is cut short is of no use, and holds secrets.
            let _ = fs::remove_file(&self.name);
        }
    }
}

/// Creates a file that only its owner may read, for it holds secrets. One that an export left that
/// was killed is replaced, whoever may read it.
fn create(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Makes the name of a new file durable.
fn sync_directory(path: &Path) -> io::Result<()> {
    // Windows has no handle of a directory that could be synced.
    if !cfg!(unix) {
        return Ok(());
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}
