use flowker_core::archive::{Place, SharedValue};
use flowker_core::ports::MockArchive;
use flowker_testkit::{MemoryStore, Stores, TestClock, sample};
use tempfile::TempDir;

use super::*;

/// More records than go into one batch, of some kinds.
async fn full() -> Arc<MemoryStore> {
    let store = MemoryStore::new(TestClock::new());
    let stores = Stores::of(&store);
    stores.workflows.create(sample::workflow(1), sample::event()).await.expect("create");
    stores.configs.create(sample::config(1), sample::event()).await.expect("create");
    stores.shared.keep("a", vec![0xFF, 0]).await.expect("keep");
    for n in 0..u64::try_from(2 * BATCH).expect("few") {
        let claim = Some(sample::claim(&format!("key {n}"), "a"));
        let new = flowker_core::ports::NewExecution { claim, ..sample::new_execution(n) };
        stores.executions.accept(new).await.expect("accept");
    }
    store
}

fn empty() -> Arc<MemoryStore> {
    MemoryStore::new(TestClock::new())
}

struct Exported {
    directory: TempDir,
    file: PathBuf,
}

async fn exported(archive: &dyn Archive) -> Exported {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("all.ndjson");
    let mut output = Output::open(Some(file.clone()), false).expect("open");
    write_out(archive, &mut output).await.expect("export");
    output.finish().expect("finish");
    Exported { directory, file }
}

async fn import_into(archive: &dyn Archive, file: &Path) -> anyhow::Result<bool> {
    let (digest, expected) = check(file)?;
    take_in(archive, file, digest, &expected).await
}

async fn all(archive: &dyn Archive) -> Vec<Record> {
    archive.read(None, usize::MAX).await.expect("read")
}

#[tokio::test]
async fn everything_moves_and_only_once() {
    let (from, to) = (full().await, empty());
    let exported = exported(from.as_ref()).await;
    assert!(import_into(to.as_ref(), &exported.file).await.expect("import"));
    assert_eq!(all(to.as_ref()).await, all(from.as_ref()).await);
    assert!(!import_into(to.as_ref(), &exported.file).await.expect("it was done before"));
    let error = import_into(from.as_ref(), &exported.file).await.expect_err("not empty");
    assert!(error.to_string().starts_with("the database is not empty"), "{error:#}");
    expect_whole(to.as_ref()).await.expect("it may be served");
}

#[tokio::test]
async fn an_interrupted_import_is_not_served_or_exported_and_goes_on() {
    let (from, to) = (full().await, empty());
    let exported = exported(from.as_ref()).await;
    let (digest, _) = check(&exported.file).expect("whole");
    to.begin_import(digest).await.expect("begin");
    let some = from.read(None, 7).await.expect("read");
    assert!(to.write(some).await.expect("write"));
    let error = expect_whole(to.as_ref()).await.expect_err("a part");
    assert!(error.to_string().contains("run flowker import with the same file"), "{error:#}");
    write_out(to.as_ref(), &mut Vec::new()).await.expect_err("a part is not exported");

    assert!(import_into(to.as_ref(), &exported.file).await.expect("import"));
    assert_eq!(all(to.as_ref()).await, all(from.as_ref()).await);
    expect_whole(to.as_ref()).await.expect("it may be served");
}

#[tokio::test]
async fn a_damaged_file_is_refused_before_anything_is_written() {
    let exported = exported(full().await.as_ref()).await;
    let whole = std::fs::read(&exported.file).expect("read");
    let cut = &whole[..whole.len() - 1];
    let half = &whole[..whole.len() / 2];
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    for damaged in [cut, half, &flipped, &[]] {
        let file = exported.directory.path().join("damaged.ndjson");
        std::fs::write(&file, damaged).expect("write");
        let to = empty();
        import_into(to.as_ref(), &file).await.expect_err("damaged");
        assert_eq!(to.contents().await.expect("contents"), Contents::Nothing);
    }
}

#[tokio::test]
async fn what_does_not_read_back_is_never_finished() {
    let from = empty();
    Stores::of(&from).shared.keep("a", vec![1]).await.expect("keep");
    let exported = exported(from.as_ref()).await;
    let mut to = MockArchive::new();
    to.expect_begin_import().returning(|_| Ok(ImportBegun::Now));
    to.expect_write().returning(|_| Ok(true));
    to.expect_read().returning(|after: Option<Place>, _| {
        let other = SharedValue { name: "a".to_owned(), value: vec![2] };
        Ok(if after.is_none() { vec![Record::SharedValue(other)] } else { Vec::new() })
    });
    to.expect_finish_import().never();
    let error = import_into(&to, &exported.file).await.expect_err("it is another value");
    assert!(error.to_string().starts_with("what was written does not read back"), "{error:#}");
}

#[test]
fn a_file_is_replaced_with_force_only_and_when_the_new_one_is_whole() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("all.ndjson");
    std::fs::write(&file, "old").expect("write");
    let refused = Output::open(Some(file.clone()), false).err().expect("it is there");
    assert!(refused.to_string().ends_with("all.ndjson is there already; --force replaces it"));

    let mut interrupted = Output::open(Some(file.clone()), true).expect("open");
    interrupted.write_all(b"new").expect("write");
    drop(interrupted);
    assert_eq!(std::fs::read(&file).expect("read"), b"old");

    let mut whole = Output::open(Some(file.clone()), true).expect("open");
    whole.write_all(b"new").expect("write");
    whole.finish().expect("finish");
    assert_eq!(std::fs::read(&file).expect("read"), b"new");
    let names: Vec<_> = std::fs::read_dir(directory.path())
        .expect("list")
        .map(|file| file.expect("list").file_name())
        .collect();
    assert_eq!(names, ["all.ndjson"]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(&file).expect("metadata").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let refused = Output::open(Some(directory.path().to_owned()), true).err();
    assert!(refused.expect("a directory").to_string().ends_with("is not a file"));
}
