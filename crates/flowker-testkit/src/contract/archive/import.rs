//! Reading, and what an import is let do.

use flowker_core::archive::{Contents, Digest, ImportBegun, Kind, Record, SharedValue};
use flowker_core::ports::StoreError;

use super::{DIGEST, PAGE, begin, fill, fill_and_move, read_all, write};
use crate::sample;
use crate::subject::ArchiveSubject;

/// Nothing is read from a store that nothing was written to, nor from one whose import has begun.
pub async fn an_empty_store_holds_nothing(from: ArchiveSubject, to: ArchiveSubject) {
    for subject in [from, to] {
        let archive = subject.archive.as_ref();
        assert_eq!(archive.contents().await.expect("contents"), Contents::Nothing);
        assert_eq!(read_all(archive, PAGE).await, []);
        begin(&subject).await;
        assert_eq!(archive.contents().await.expect("contents"), Contents::Part(DIGEST));
        assert_eq!(read_all(archive, PAGE).await, []);
        archive.finish_import().await.expect("finish");
    }
}

/// What was read from one store and written into another is read from that one, to the last byte.
pub async fn everything_comes_back_exactly(from: ArchiveSubject, to: ArchiveSubject) {
    let expected = fill_and_move(&from, &to).await;
    let moved = read_all(to.archive.as_ref(), PAGE).await;
    assert_eq!(moved.len(), expected.len());
    for (moved, expected) in moved.iter().zip(&expected) {
        assert_eq!(moved, expected);
    }
    assert_eq!(to.archive.contents().await.expect("contents"), Contents::Records);
}

/// However long the pages are, they hold the same records, in the order of their places.
pub async fn pages_hold_every_record_once_and_in_order(from: ArchiveSubject, to: ArchiveSubject) {
    fill_and_move(&from, &to).await;
    for archive in [from.archive.as_ref(), to.archive.as_ref()] {
        let records = read_all(archive, 1000).await;
        let places: Vec<_> = records.iter().map(Record::place).collect();
        assert!(places.is_sorted_by(|left, right| left < right), "{places:?}");
        let count = |kind| records.iter().filter(|record| record.kind() == kind).count();
        assert_eq!(Kind::ALL.map(count), [3, 4, 1, 2, 2, 2, 7, 6, 28]);
        for limit in [1, 2, 5] {
            assert_eq!(read_all(archive, limit).await, records, "{limit} a page");
        }
    }
}

/// A store that holds one record of any kind is not imported into, and is left as it is.
pub async fn only_an_empty_store_takes_an_import(from: ArchiveSubject, to: ArchiveSubject) {
    fill(&from).await;
    let (archive, before) = (from.archive.as_ref(), read_all(from.archive.as_ref(), PAGE).await);
    assert_eq!(archive.contents().await.expect("contents"), Contents::Records);
    assert_eq!(archive.begin_import(DIGEST).await.expect("begin"), ImportBegun::NotEmpty);
    assert!(!archive.write(before.clone()).await.expect("write"));
    assert_eq!(read_all(archive, PAGE).await, before);

    to.subject.stores.shared.keep("a", Vec::new()).await.expect("keep");
    let begun = to.archive.begin_import(DIGEST).await.expect("begin");
    assert_eq!(begun, ImportBegun::NotEmpty, "one shared value is enough");
}

/// Before an import has begun and after it was finished nothing is written.
pub async fn nothing_is_written_without_an_import(from: ArchiveSubject, to: ArchiveSubject) {
    fill(&from).await;
    let records = read_all(from.archive.as_ref(), PAGE).await;
    assert!(!to.archive.write(records.clone()).await.expect("write"));
    to.archive.finish_import().await.expect("there is nothing to finish");
    assert_eq!(to.archive.contents().await.expect("contents"), Contents::Nothing);
    begin(&to).await;
    to.archive.finish_import().await.expect("finish");
    assert!(!to.archive.write(records).await.expect("write"));
    assert_eq!(read_all(to.archive.as_ref(), PAGE).await, []);
}

/// Whoever lost an answer writes its batch again, and even all batches.
pub async fn a_batch_that_is_written_again_changes_nothing(
    from: ArchiveSubject,
    to: ArchiveSubject,
) {
    fill(&from).await;
    let records = read_all(from.archive.as_ref(), PAGE).await;
    begin(&to).await;
    for _ in 0..2 {
        for batch in records.chunks(PAGE) {
            for _ in 0..2 {
                assert!(to.archive.write(batch.to_vec()).await.expect("write"));
            }
        }
        assert_eq!(read_all(to.archive.as_ref(), PAGE).await, records);
    }
}

/// An import that was interrupted is told from others, and goes on from the start of its archive.
pub async fn an_interrupted_import_goes_on(from: ArchiveSubject, to: ArchiveSubject) {
    fill(&from).await;
    let records = read_all(from.archive.as_ref(), PAGE).await;
    begin(&to).await;
    write(&to, &records[..records.len() / 2]).await;
    let archive = to.archive.as_ref();
    assert_eq!(archive.contents().await.expect("contents"), Contents::Part(DIGEST));
    let other = Digest::from_bytes([8; 32]);
    assert_eq!(archive.begin_import(other).await.expect("begin"), ImportBegun::NotEmpty);
    assert_eq!(archive.begin_import(DIGEST).await.expect("begin"), ImportBegun::Before);
    write(&to, &records).await;
    archive.finish_import().await.expect("finish");
    assert_eq!(read_all(archive, PAGE).await, records);
}

/// A record whose place, or whose name, something else has is refused with its whole batch.
pub async fn a_batch_that_contradicts_what_is_there_is_refused_whole(
    from: ArchiveSubject,
    to: ArchiveSubject,
) {
    fill(&from).await;
    let records = read_all(from.archive.as_ref(), PAGE).await;
    begin(&to).await;
    write(&to, &records).await;
    let mut namesake = sample::workflow(9);
    namesake.name = sample::workflow(2).name;
    let mut config_namesake = sample::config(9);
    config_namesake.name = sample::config(2).name;
    let mut contradictions: Vec<_> = records.iter().map(changed).collect();
    let mut key_namesake = sample::api_key(9);
    key_namesake.name = sample::api_key(2).name;
    contradictions.extend([
        Record::Workflow(namesake),
        Record::ProviderConfig(config_namesake),
        Record::ApiKey(key_namesake),
    ]);
    for contradiction in contradictions {
        let innocent = SharedValue { name: "innocent".to_owned(), value: vec![1] };
        let batch = vec![Record::SharedValue(innocent), contradiction.clone()];
        let answer = to.archive.write(batch).await;
        assert!(matches!(answer, Err(StoreError::Corrupt { .. })), "{contradiction:?}: {answer:?}");
        assert_eq!(read_all(to.archive.as_ref(), PAGE).await, records, "{contradiction:?}");
    }
}

/// Another record at the same place.
fn changed(record: &Record) -> Record {
    let mut changed = record.clone();
    match &mut changed {
        Record::Workflow(it) => it.revision += 1,
        Record::Version(it) => it.frozen_at = sample::moment(77),
        Record::Route(it) => it.version += 1,
        Record::ProviderConfig(it) => it.revision += 1,
        Record::SharedValue(it) => it.value.push(7),
        Record::Execution(it) => {
            it.journal
                .push(sample::entry(flowker_core::execution::Fence(9), sample::failed("x", "")));
        }
        Record::ApiKey(it) => it.expires_at = Some(sample::moment(77)),
        Record::Key(it) => it.expires_at = sample::moment(77),
        Record::AuditEntry(it) => it.event.resource_id.push('7'),
    }
    changed
}

/// The same archive is not imported twice, whatever became of the store since.
pub async fn a_finished_import_is_remembered(from: ArchiveSubject, to: ArchiveSubject) {
    fill_and_move(&from, &to).await;
    let workflow = sample::workflow(20);
    to.subject.stores.workflows.create(workflow, sample::event()).await.expect("create");
    let before = read_all(to.archive.as_ref(), PAGE).await;
    let archive = to.archive.as_ref();
    assert_eq!(archive.begin_import(DIGEST).await.expect("begin"), ImportBegun::Finished);
    let other = Digest::from_bytes([8; 32]);
    assert_eq!(archive.begin_import(other).await.expect("begin"), ImportBegun::NotEmpty);
    assert_eq!(archive.contents().await.expect("contents"), Contents::Records);
    assert_eq!(read_all(archive, PAGE).await, before);
}
