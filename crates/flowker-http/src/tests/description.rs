//! The description of the API, and the page that shows it.

use std::sync::Arc;

use super::wire::{Answer, bare};
use super::world::World;
use crate::answer::Door;
use crate::openapi;

async fn get(door: &Arc<Door>, path: &str) -> (Answer, String) {
    let answer = bare(door, &format!("GET {path}"), &[]).await;
    assert_eq!(answer.status, 200, "{path}");
    let text = String::from_utf8(answer.body.clone()).expect("text");
    (answer, text)
}

/// What stands behind each of these words, up to the next quote.
fn quoted<'a>(text: &'a str, word: &str) -> Vec<&'a str> {
    text.split(word).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

#[tokio::test(start_paused = true)]
async fn anybody_may_read_the_description() {
    let door = World::new().door();
    for path in ["/openapi.json", "/swagger/doc.json"] {
        assert_eq!(get(&door, path).await.1, openapi(), "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_page_is_whole_and_asks_nobody_else() {
    let door = World::new().door();
    let (answer, page) = get(&door, "/swagger/index.html").await;
    assert_eq!(get(&door, "/swagger").await.1, page);
    let policy = answer.header("content-security-policy").expect("a policy");
    assert!(policy.starts_with("default-src 'none'; script-src 'self'; "), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    let parts: Vec<_> = ["src=\"", "href=\""].iter().flat_map(|it| quoted(&page, it)).collect();
    assert!(parts.contains(&"/swagger/explorer.js"), "{parts:?}");
    for path in parts {
        let (_, text) = get(&door, path).await;
        assert!(path.ends_with("doc.json") || !text.contains("://"), "{path} names another place");
    }
    let (_, script) = get(&door, "/swagger/explorer.js").await;
    let wanted = quoted(&script, "byId(\"");
    assert!(wanted.contains(&"key") && wanted.contains(&"token"), "{wanted:?}");
    for id in wanted {
        assert!(page.contains(&format!("id=\"{id}\"")), "the page has no {id}");
    }
}
