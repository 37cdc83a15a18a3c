use std::io::Write;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use http::HeaderValue;

use super::*;

const TEXT: &[u8] = b"{\"order\":42}";

/// `TEXT` in brotli, as uncompressed data.
fn brotli() -> Vec<u8> {
    // Window bits 16; one meta-block that is not the last, of 12 bytes, uncompressed; an empty
    // last one (RFC 7932 §9).
    let mut bytes = vec![0b1011_0000, 0b0000_0000, 0b0001_0000];
    bytes[0] = 0b1011_0000;
    bytes.extend(TEXT);
    bytes.push(0b11);
    bytes
}

fn encode<W: Write>(mut encoder: W, finish: impl FnOnce(W) -> Vec<u8>) -> Vec<u8> {
    encoder.write_all(TEXT).expect("memory takes it");
    finish(encoder)
}

fn gzip() -> Vec<u8> {
    encode(GzEncoder::new(Vec::new(), Compression::best()), |it| it.finish().expect("memory"))
}

fn zlib() -> Vec<u8> {
    encode(ZlibEncoder::new(Vec::new(), Compression::best()), |it| it.finish().expect("memory"))
}

fn deflate() -> Vec<u8> {
    encode(DeflateEncoder::new(Vec::new(), Compression::best()), |it| it.finish().expect("memory"))
}

fn check(codings: &[&str], raw: Vec<u8>, limit: usize, expected: Result<&[u8], BodyError>) {
    let mut headers = HeaderMap::new();
    for coding in codings {
        headers.append(header::CONTENT_ENCODING, HeaderValue::from_str(coding).expect("a value"));
    }
    let decoded = decode(raw.into(), &headers, limit);
    assert_eq!(decoded, expected.map(Bytes::copy_from_slice), "{codings:?}");
}

#[test]
fn codings_are_undone() {
    check(&[], TEXT.to_vec(), 12, Ok(TEXT));
    check(&["identity"], TEXT.to_vec(), 12, Ok(TEXT));
    check(&["gzip"], gzip(), 12, Ok(TEXT));
    check(&["X-GZIP"], gzip(), 12, Ok(TEXT));
    check(&["deflate"], zlib(), 12, Ok(TEXT));
    check(&["deflate"], deflate(), 12, Ok(TEXT));
    check(&["br"], brotli(), 12, Ok(TEXT));
    check(&["gzip"], Vec::new(), 12, Ok(b""));
    check(&["gzip"], [gzip(), gzip()].concat(), 24, Ok(&[TEXT, TEXT].concat()));
}

#[test]
fn what_is_too_large_unknown_or_broken_is_refused() {
    let undecodable = |coding: &str| Err(BodyError::Undecodable(coding.to_owned()));
    for (coding, raw) in [("gzip", gzip()), ("deflate", zlib()), ("br", brotli())] {
        check(&[coding], raw.clone(), 11, Err(BodyError::TooLarge { limit: 11 }));
        check(&[coding], raw[..raw.len() - 3].to_vec(), 12, undecodable(coding));
    }
    check(&["gzip"], TEXT.to_vec(), 12, undecodable("gzip"));
    check(&["zstd"], TEXT.to_vec(), 12, Err(BodyError::Coding("zstd".to_owned())));
    let stacked = ["gzip, gzip", "gzip"];
    check(&stacked, gzip(), 12, Err(BodyError::Coding("gzip, gzip, gzip".to_owned())));
}

#[test]
fn a_bomb_is_cut_at_the_limit() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&vec![0; 1 << 24]).expect("memory takes it");
    let bomb = encoder.finish().expect("memory takes it");
    check(&["gzip"], bomb, 1 << 20, Err(BodyError::TooLarge { limit: 1 << 20 }));
}

#[test]
fn json_is_known_by_the_end_of_its_media_type() {
    let check = |value: &str, expected| {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_str(value).expect("a value"));
        assert_eq!(is_json(&headers), expected, "{value}");
    };
    check("application/json", true);
    check("Application/Vnd.Order+JSON ; charset=utf-8", true);
    check("text/plain; x=json", false);
    check("application/jsonx", false);
    assert!(!is_json(&HeaderMap::new()));
}
