//! Both sides, against each other and against the implementation of RFC 9458's editor; and each way to lie.

use std::{
    io::Cursor,
    task::{Context, Poll, Waker},
};

use futures_util::{AsyncReadExt, AsyncWriteExt};
use ohttp::{ClientRequest, KeyConfig, Server, SymmetricSuite, hpke as theirs};
use proptest::prelude::*;
use zeroize::Zeroizing;

use crate::*;

const IDENTIFIER: u8 = 8;
const ANSWER_NONCE: [u8; NONCE] = [5; NONCE];

fn keys() -> GatewayKeys {
    GatewayKeys::new(IDENTIFIER, &Zeroizing::new([7; SEED]))
}

fn best() -> Configuration {
    Configuration::best(keys().configurations()).expect("keys")
}

/// The second key configuration, by itself.
fn classical() -> Vec<u8> {
    let list = keys().configurations().to_vec();
    let first = 2 + usize::from(u16::from_be_bytes([list[0], list[1]]));
    list[first..].to_vec()
}

fn error<T>(result: Result<T, Error>) -> Error {
    result.err().expect("an error")
}

#[test]
fn a_client_prefers_what_lasts() {
    assert!(best().is_post_quantum());
    assert!(!Configuration::best(&classical()).unwrap().is_post_quantum());
}

#[test]
fn what_one_side_says_the_other_hears() {
    for form in [Form::Whole, Form::Chunked] {
        for to in [best(), Configuration::best(&classical()).unwrap()] {
            let message = vec![3; 40_000];
            let (request, awaiting) = encapsulate(&to, form, &message).unwrap();
            let opened = keys().open(form, &request).unwrap();
            assert_eq!(opened.message, message);
            assert_eq!(opened.answering.form(), form);
            let answer = match form {
                Form::Whole => {
                    let answer = opened.answering.seal(&ANSWER_NONCE, b"answer").unwrap();
                    awaiting.open(&answer).unwrap()
                }
                Form::Chunked => {
                    let mut arriving = awaiting.opener();
                    let mut heard = Vec::new();
                    for byte in chunked(opened.answering, &[b"ans", b"we"], b"r") {
                        heard.extend(arriving.push(&[byte]).unwrap());
                    }
                    heard.extend(arriving.finish().unwrap());
                    heard
                }
            };
            assert_eq!(answer, b"answer");
        }
    }
}

fn chunked(answering: Answering, pieces: &[&[u8]], last: &[u8]) -> Vec<u8> {
    let mut sealer = answering.begin(&ANSWER_NONCE).expect("a key");
    let mut answer = ANSWER_NONCE.to_vec();
    for piece in pieces {
        answer.extend(sealer.piece(piece).expect("sealed"));
    }
    answer.extend(sealer.last(last).expect("sealed"));
    answer
}

#[test]
fn another_client_is_understood() {
    for list in [keys().configurations().to_vec(), classical()] {
        let mut theirs = KeyConfig::decode_list(&list).unwrap();
        let client = ClientRequest::from_config(&mut theirs[0]).unwrap();
        let (request, response) = client.encapsulate(b"request").unwrap();
        let opened = keys().open(Form::Whole, &request).unwrap();
        assert_eq!(opened.message, b"request");
        let answer = opened.answering.seal(&ANSWER_NONCE, b"answer").unwrap();
        assert_eq!(response.decapsulate(&answer).unwrap(), b"answer");
    }
}

/// Its answer is opened by ours alone: theirs has 16 bytes for a nonce of 32, and panics (ohttp 0.8.0, `ClientResponse::read_nonce`).
#[test]
fn another_client_is_understood_in_chunks() {
    let mut theirs = KeyConfig::decode_list(keys().configurations()).unwrap();
    let client = ClientRequest::from_config(&mut theirs[0]).unwrap();
    let mut request = Vec::new();
    let mut stream = client.encapsulate_stream(&mut request).unwrap();
    wait(async {
        stream.write_all(b"req").await.unwrap();
        stream.write_all(b"uest").await.unwrap();
        stream.close().await.unwrap();
    });
    drop(stream);
    let opened = keys().open(Form::Chunked, &request).unwrap();
    assert_eq!(opened.message, b"request");
}

#[test]
fn another_gateway_understands() {
    let suite = SymmetricSuite::new(theirs::Kdf::HkdfSha256, theirs::Aead::ChaCha20Poly1305);
    for kem in [theirs::Kem::XWing, theirs::Kem::X25519Sha256] {
        let config = KeyConfig::new(1, kem, vec![suite]).unwrap();
        let list = KeyConfig::encode_list(&[Box::new(config.clone())]).unwrap();
        let to = Configuration::best(&list).unwrap();
        let server = Server::new(config).unwrap();
        let (request, awaiting) = encapsulate(&to, Form::Whole, b"request").unwrap();
        let (message, response) = server.decapsulate(&request).unwrap();
        assert_eq!(message, b"request");
        let answer = response.encapsulate(b"answer").unwrap();
        assert_eq!(awaiting.open(&answer).unwrap(), b"answer");

        let message = vec![9; 50_000];
        let (request, awaiting) = encapsulate(&to, Form::Chunked, &message).unwrap();
        let mut stream = server.decapsulate_stream(request.as_slice());
        let mut heard = Vec::new();
        let mut answer = Vec::new();
        wait(async {
            stream.read_to_end(&mut heard).await.unwrap();
            let mut response = stream.response(&mut answer).unwrap();
            response.write_all(b"ans").await.unwrap();
            response.write_all(b"wer").await.unwrap();
            response.close().await.unwrap();
        });
        assert_eq!(heard, message);
        let mut opener = awaiting.opener();
        let mut heard = opener.push(&answer).unwrap();
        heard.extend(opener.finish().unwrap());
        assert_eq!(heard, b"answer");
    }
}

/// What never waits is done at once.
fn wait<T>(work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    let mut context = Context::from_waker(Waker::noop());
    match work.as_mut().poll(&mut context) {
        Poll::Ready(done) => done,
        Poll::Pending => panic!("it waits"),
    }
}

#[test]
fn each_lie_about_a_request_is_named() {
    let message = vec![1; MAX_CHUNK + 1];
    let (whole, _) = encapsulate(&best(), Form::Whole, &message).unwrap();
    let (chunked, _) = encapsulate(&best(), Form::Chunked, &message).unwrap();
    let open = |form, request: &[u8]| keys().open(form, request).map(|opened| opened.message);
    assert_eq!(error(open(Form::Whole, &whole[..6])), Error::Truncated);
    assert_eq!(error(open(Form::Whole, &whole[..1000])), Error::Truncated);
    let cut = &whole[..whole.len() - 1];
    assert_eq!(error(open(Form::Whole, cut)), Error::Undecryptable);
    for at in [0, 1, 3, 5] {
        let mut other = whole.clone();
        other[at] ^= 0x40;
        assert_eq!(error(open(Form::Whole, &other)), Error::UnknownKey, "{at}");
    }
    for at in [HEADER, HEADER + 1119, HEADER + 1120, whole.len() - 1] {
        let mut other = whole.clone();
        other[at] ^= 1;
        assert_eq!(
            error(open(Form::Whole, &other)),
            Error::Undecryptable,
            "{at}"
        );
    }
    // One form read as the other, its first byte taken for a length: 32, then more than a chunk holds.
    let first = HEADER + 1120;
    for (length, named) in [(32, Error::Undecryptable), (0xbf, Error::ChunkTooLong)] {
        let mut other = whole.clone();
        other[first] = length;
        assert_eq!(error(open(Form::Chunked, &other)), named, "{length}");
    }
    // The lengths: four bytes of the first chunk's, one of the second's, one of the last's.
    let second = first + 4 + MAX_CHUNK + TAG;
    let last = second + 1 + 1 + TAG;
    assert_eq!(chunked.len(), last + 1 + TAG);
    for end in [second, last] {
        let cut = &chunked[..end];
        assert_eq!(error(open(Form::Chunked, cut)), Error::FinalChunkMissing);
    }
    assert_eq!(
        error(open(Form::Chunked, &chunked[..second + 5])),
        Error::Truncated
    );
    let without_the_second = [&chunked[..second], &chunked[last..]].concat();
    assert_eq!(
        error(open(Form::Chunked, &without_the_second)),
        Error::Undecryptable
    );
    let reordered = [
        &chunked[..first],
        &chunked[second..last],
        &chunked[first..second],
        &chunked[last..],
    ]
    .concat();
    assert_eq!(error(open(Form::Chunked, &reordered)), Error::Undecryptable);
    let longer = [&chunked[..], &[0]].concat();
    assert_eq!(error(open(Form::Chunked, &longer)), Error::Undecryptable);
    let other = GatewayKeys::new(IDENTIFIER, &Zeroizing::new([8; SEED]));
    assert_eq!(error(other.open(Form::Whole, &whole)), Error::Undecryptable);
    let renewed = GatewayKeys::new(IDENTIFIER + 2, &Zeroizing::new([8; SEED]));
    assert_eq!(error(renewed.open(Form::Whole, &whole)), Error::UnknownKey);
}

#[test]
fn each_lie_about_an_answer_is_named() {
    let asked = || {
        let (request, awaiting) = encapsulate(&best(), Form::Chunked, b"request").unwrap();
        (
            keys().open(Form::Chunked, &request).unwrap().answering,
            awaiting.opener(),
        )
    };
    let heard = |change: &dyn Fn(&mut Vec<u8>)| {
        let (answering, mut opener) = asked();
        let mut answer = chunked(answering, &[b"one", b"two"], b"");
        change(&mut answer);
        opener.push(&answer).and_then(|_| opener.finish()).err()
    };
    let chunk = 1 + 3 + TAG;
    assert_eq!(heard(&|_| ()), None);
    assert_eq!(heard(&|it| it.truncate(NONCE - 1)), Some(Error::Truncated));
    for length in [NONCE, NONCE + chunk, NONCE + chunk + 2, NONCE + 2 * chunk] {
        assert_eq!(
            heard(&|it| it.truncate(length)),
            Some(Error::FinalChunkMissing)
        );
    }
    assert_eq!(
        heard(&|it| it.truncate(it.len() - 1)),
        Some(Error::Undecryptable)
    );
    assert_eq!(
        heard(&|it| it[NONCE..].rotate_left(chunk)),
        Some(Error::Undecryptable)
    );
    assert_eq!(
        heard(&|it| drop(it.drain(NONCE..NONCE + chunk))),
        Some(Error::Undecryptable)
    );
    assert_eq!(heard(&|it| it[0] ^= 1), Some(Error::Undecryptable));
    assert_eq!(heard(&|it| it[NONCE] = 0xff), Some(Error::ChunkTooLong));
    // Once it has failed it says nothing more.
    let (answering, mut opener) = asked();
    let mut answer = chunked(answering, &[b"one"], b"");
    answer[NONCE + 2] ^= 1;
    assert_eq!(error(opener.push(&answer)), Error::Undecryptable);
    assert_eq!(error(opener.push(&[])), Error::Undecryptable);
    assert_eq!(error(opener.finish()), Error::Undecryptable);
    let (answering, _) = asked();
    let sealer = answering.begin(&ANSWER_NONCE).unwrap();
    assert_eq!(
        error(sealer.last(&vec![0; MAX_CHUNK + 1])),
        Error::ChunkTooLong
    );
}

#[test]
fn keys_that_are_none_are_named() {
    let list = keys().configurations().to_vec();
    for length in [0, 1, 2, 100, list.len() - 1] {
        assert_eq!(
            error(Configuration::best(&list[..length])),
            Error::Keys,
            "{length}"
        );
    }
    // P-256, and then AES-256-GCM.
    let mut other = classical();
    other[4] = 0x10;
    assert_eq!(error(Configuration::best(&other)), Error::Suite);
    let mut other = classical();
    *other.last_mut().unwrap() = 2;
    assert_eq!(error(Configuration::best(&other)), Error::Suite);
    let mut other = classical();
    let length = other.len();
    other[length - 5] = 3;
    assert_eq!(error(Configuration::best(&other)), Error::Keys);
    assert_eq!(error(Configuration::best(&vec![0; 70_000])), Error::Keys);
}

fn request() -> Request {
    Request {
        method: b"POST".to_vec(),
        scheme: b"https".to_vec(),
        authority: b"llm.example".to_vec(),
        path: b"/v1/chat/completions".to_vec(),
        headers: vec![(b"content-type".to_vec(), b"application/json".to_vec())],
        body: b"{}".to_vec(),
    }
}

#[test]
fn requests_are_padded_to_powers_of_two() {
    for (body, length) in [(0, 4096), (3900, 4096), (4096, 8192), (60_000, 65_536)] {
        let request = Request {
            body: vec![b'x'; body],
            ..request()
        };
        let encoded = request.encode_padded().unwrap();
        assert_eq!(encoded.len(), length);
        assert_eq!(Request::decode(&encoded), Ok(request));
    }
}

#[test]
fn what_is_no_request_is_named() {
    let encoded = request().encode_padded().unwrap();
    let inside = |bytes: &[u8]| error(Request::decode(bytes)).to_string();
    assert!(inside(b"").contains("cannot be read"));
    assert!(inside(&encoded[..20]).contains("cannot be read"));
    let mut longer = encoded;
    *longer.last_mut().unwrap() = 1;
    assert!(inside(&longer).contains("something follows"));
    let answer = [&head(200, []), &END[..]].concat();
    assert!(inside(&answer).contains("no request"));
}

#[test]
fn answers_are_read_as_they_arrive() {
    let written = [
        &head(200, [(&b"content-type"[..], &b"text/plain"[..])])[..],
        &content(b"one"),
        &content(b""),
        &content(&[2; 100]),
        &END,
    ]
    .concat();
    let theirs = bhttp::Message::read_bhttp(&mut Cursor::new(&written)).unwrap();
    assert_eq!(theirs.content(), [&b"one"[..], &[2; 100]].concat());
    for step in [1, 7, written.len()] {
        let mut reader = AnswerReader::default();
        let (mut status, mut body) = (0, Vec::new());
        for bytes in written.chunks(step) {
            assert!(!reader.is_over());
            reader.push(bytes);
            while let Some(part) = reader.next_part().unwrap() {
                match part {
                    Part::Head(head) => status = head.status,
                    Part::Content(piece) => body.extend(piece),
                }
            }
        }
        assert!(reader.is_over());
        assert_eq!((status, body.as_slice()), (200, theirs.content()));
    }
}

#[test]
fn an_answer_is_whole_only_with_its_end_inside_and_outside() {
    let incoming = |pieces: &[&[u8]]| {
        let (request, awaiting) = encapsulate(&best(), Form::Chunked, b"request").unwrap();
        let opened = keys().open(Form::Chunked, &request).unwrap();
        let mut incoming = IncomingAnswer::from(awaiting);
        incoming
            .push(&chunked(opened.answering, pieces, b""))
            .unwrap();
        incoming
    };
    let mut whole = incoming(&[&head(200, []), &content(b"one"), &END]);
    assert!(matches!(whole.next_part(), Ok(Some(Part::Head(_)))));
    assert_eq!(whole.next_part(), Ok(Some(Part::Content(b"one".to_vec()))));
    assert_eq!((whole.next_part(), whole.has_ended()), (Ok(None), false));
    assert_eq!((whole.end(), whole.has_ended()), (Ok(()), true));
    assert_eq!(whole.next_part(), Ok(None));
    assert!(whole.push(&[0]).is_err());
    let mut cut = incoming(&[&head(200, [])]);
    assert!(matches!(cut.next_part(), Ok(Some(Part::Head(_)))));
    assert_eq!(cut.next_part(), Ok(None));
    cut.end().unwrap();
    assert_eq!(cut.next_part(), Err(Error::Truncated));
}

#[test]
fn keys_are_proved_by_their_digest_and_only_if_they_last() {
    use sha2_011::{Digest, Sha256};
    let proved = |list: &[u8], digest: &[u8]| {
        Configuration::proved(list, &Sha256::digest(digest).into()).map(|_| ())
    };
    let list = keys().configurations().to_vec();
    assert_eq!(proved(&list, &list), Ok(()));
    assert_eq!(proved(&list, &classical()), Err(Error::Unproved));
    assert_eq!(proved(&classical(), &list), Err(Error::Unproved));
    assert_eq!(proved(&classical(), &classical()), Err(Error::Classical));
    assert_eq!(proved(b"none", b"none"), Err(Error::Keys));
}

#[test]
fn what_is_no_answer_is_named() {
    let read = |bytes: &[u8]| {
        let mut reader = AnswerReader::default();
        reader.push(bytes);
        loop {
            match reader.next_part() {
                Ok(Some(_)) => {}
                Ok(None) => return None,
                Err(error) => return Some(error.to_string()),
            }
        }
    };
    let said = |bytes: &[u8], what: &str| {
        let error = read(bytes).expect("an error");
        assert!(error.contains(what), "{error}");
    };
    said(&[1], "indeterminate");
    said(&[3, 0x40, 100], "status");
    said(&[&head(200, [])[..], &[0, 1]].concat(), "trailers");
    said(&[&head(200, [])[..], &[0, 0, 1]].concat(), "follows");
    let long = vec![1; 70_000];
    let head = head(200, [(&b"x"[..], long.as_slice())]);
    said(&head[..head.len() - 2], "too long");
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Configuration::best(&bytes);
        let _ = Request::decode(&bytes);
        for form in [Form::Whole, Form::Chunked] {
            let _ = keys().open(form, &bytes);
            let header = [&[IDENTIFIER + 1, 0, 0x20, 0, 1, 0, 3][..], &bytes].concat();
            let _ = keys().open(form, &header);
        }
        let mut reader = AnswerReader::default();
        reader.push(&bytes);
        while let Ok(Some(_)) = reader.next_part() {}
    }
}
