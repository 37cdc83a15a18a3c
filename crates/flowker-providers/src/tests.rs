use std::sync::Arc;

use flowker_core::catalog::Catalog;

use crate::downstream::client;
use crate::providers;

#[test]
fn the_providers_make_a_catalog() {
    let catalog = Catalog::new(providers(Arc::new(client()))).unwrap();
    let mut shown = Vec::new();
    for provider in providers(Arc::new(client())) {
        let descriptor = provider.descriptor();
        for executor in descriptor.executors {
            assert!(catalog.executor(executor.id).is_some());
            shown.push(format!("{}: {} {}", descriptor.id, executor.id, executor.category));
        }
    }
    assert_eq!(
        shown,
        [
            "http: http HTTP",
            "midaz: midaz.create-account Midaz",
            "midaz: midaz.create-transaction Midaz",
            "midaz: midaz.get-account Midaz",
            "midaz: midaz.get-account-balance Midaz",
            "s3: s3.get-object S3",
            "s3: s3.put-object S3",
            "tracer: tracer.list-validations Tracer",
            "tracer: tracer.validate-transaction Tracer",
        ]
    );
}
