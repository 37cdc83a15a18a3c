//! What every [`SharedValues`](flowker_core::ports::SharedValues) promises.

use std::sync::Arc;

use crate::contract::race;
use crate::subject::Subject;

/// Nothing is read that was not kept.
pub async fn a_value_that_was_not_kept_is_not_there(subject: Subject) {
    let shared = &subject.stores.shared;
    shared.keep("cursor key", vec![1]).await.expect("keep");
    for name in ["", "cursor", "Cursor key", "cursor key "] {
        assert_eq!(shared.read(name).await.expect("read"), None, "{name:?}");
    }
}

/// The first value of a name stays, byte by byte, and is answered to whoever brings another.
pub async fn the_first_value_stays(subject: Subject) {
    let shared = &subject.stores.shared;
    // Bytes that are no UTF-8, zeros, and nothing at all.
    let values = [("a", vec![0xFF, 0, 0xC0, 0]), ("b", Vec::new()), ("c", vec![7; 4096])];
    for (name, first) in &values {
        for value in [first.clone(), vec![2], first.clone()] {
            assert_eq!(&shared.keep(name, value).await.expect("keep"), first);
            assert_eq!(shared.read(name).await.expect("read").as_ref(), Some(first));
        }
    }
    for (name, first) in &values {
        let found = shared.read(name).await.expect("read");
        assert_eq!(found.as_ref(), Some(first), "no name disturbs another");
    }
}

/// However many callers race, one value is kept, and all learn which.
pub async fn racers_for_one_name_agree(subject: Subject) {
    let answers = race(|idx| {
        let shared = Arc::clone(&subject.stores.shared);
        async move { shared.keep("cursor key", idx.to_be_bytes().into()).await.expect("keep") }
    })
    .await;
    assert!(answers.iter().all(|it| *it == answers[0]), "{answers:?}");
    let kept = subject.stores.shared.read("cursor key").await.expect("read");
    assert_eq!(kept.as_ref(), Some(&answers[0]));
}
