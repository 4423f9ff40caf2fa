use super::super::record::{Encoder, seal};
use super::*;
use crate::message::Parts;

const SEED: u32 = 77;

fn message() -> Message {
    Message::from_parts(Parts {
        exchange: b"logs",
        routing_key: b"a.b",
        header: b"0123456789abcd",
        body: b"hello",
        persistent: true,
        priority: 3,
        expires: false,
        died: false,
    })
}

fn place(expires: Option<u64>) -> Place {
    Place { queue: QueueId(7), position: 41, deliveries: 2, expires }
}

fn sealed(encode: impl FnOnce(&mut Encoder<'_>)) -> Vec<u8> {
    let mut out = Vec::new();
    encode(&mut Encoder::new(&mut out, 9, flag::GROUP));
    assert_eq!(out.len() % 8, 0, "records are padded");
    seal(&mut out, SEED);
    out
}

fn raw(bytes: &[u8]) -> Raw<'_> {
    match look(bytes, SEED) {
        Found::Record(raw) => {
            assert_eq!((raw.lsn, raw.has(flag::GROUP)), (9, true));
            assert_eq!(raw.padded_len(), bytes.len());
            raw
        }
        other @ (Found::End | Found::Bad(_)) => panic!("{other:?}"),
    }
}

#[test]
fn a_message_comes_back_whole() {
    for expires in [None, Some(1234)] {
        let bytes = sealed(|out| out.message(&place(expires), &message()));
        let raw = raw(&bytes);
        assert_eq!(raw.message_at(), Some((QueueId(7), 41)));
        let View::Message(at, content) = raw.view().unwrap() else { panic!() };
        assert_eq!((at, content.body_len()), (place(expires), 5));
        let (got, sent) = (content.to_message(), message());
        assert_eq!(got.names(), sent.names());
        assert_eq!(got.header(), sent.header());
        assert_eq!(got.body(), sent.body());
        assert_eq!((got.is_persistent(), got.priority()), (true, 3));
    }
}

#[test]
fn the_small_ones_come_back() {
    let bytes = sealed(|out| out.reference(&place(Some(5)), 88));
    let View::Reference { place: at, body } = raw(&bytes).view().unwrap() else { panic!() };
    assert_eq!((at, body), (place(Some(5)), 88));

    let bytes = sealed(|out| out.gone(QueueId(4), 2, &[(1, 3), (9, 1)]));
    let View::Gone { queue, reason, ranges } = raw(&bytes).view().unwrap() else { panic!() };
    assert_eq!((queue, reason), (QueueId(4), 2));
    assert_eq!(ranges.counted().collect::<Vec<_>>(), [(1, 3), (9, 1)]);

    let bytes = sealed(|out| out.delivered(QueueId(4), &[(1, 3, 2)]));
    let View::Delivered { queue, ranges } = raw(&bytes).view().unwrap() else { panic!() };
    assert_eq!(queue, QueueId(4));
    assert_eq!(ranges.with_deliveries().collect::<Vec<_>>(), [(1, 3, 2)]);

    let bytes = sealed(|out| out.purge(QueueId(4), 12));
    assert!(matches!(raw(&bytes).view(), Ok(View::Purge { queue: QueueId(4), before: 12 })));
    let bytes = sealed(|out| out.queue_deleted(QueueId(4)));
    assert!(matches!(raw(&bytes).view(), Ok(View::QueueDeleted { queue: QueueId(4) })));
    let bytes = sealed(|out| out.put(b"q/1", b"value"));
    assert!(matches!(raw(&bytes).view(), Ok(View::Put { key: b"q/1", value: b"value" })));
    let bytes = sealed(|out| out.delete(b"q/1"));
    assert!(matches!(raw(&bytes).view(), Ok(View::Delete { key: b"q/1" })));
    let bytes = sealed(|out| out.mark(3, 4));
    assert!(matches!(raw(&bytes).view(), Ok(View::Mark { oldest: 3, synced: 4 })));
    assert_eq!(bytes.len(), super::super::record::MARK);
    let bytes = sealed(|out| out.blob(b"abc"));
    assert!(matches!(raw(&bytes).view(), Ok(View::Blob(b"abc"))));
}

#[test]
fn every_flipped_bit_shows() {
    let sound = sealed(|out| out.message(&place(None), &message()));
    let len = raw(&sound).len();
    for bit in 0..len * 8 {
        let mut bytes = sound.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(matches!(look(&bytes, SEED), Found::Bad(_)), "bit {bit}");
    }
}

#[test]
fn another_files_record_is_not_ours() {
    let bytes = sealed(|out| out.queue_deleted(QueueId(4)));
    assert!(matches!(look(&bytes, SEED + 1), Found::Bad(Flaw::Checksum)));
}

#[test]
fn zeros_are_the_end_and_stumps_are_cut() {
    assert!(matches!(look(&[0; 64], SEED), Found::End));
    assert!(matches!(look(&[], SEED), Found::End));
    let bytes = sealed(|out| out.message(&place(None), &message()));
    for len in 1..raw(&bytes).len() {
        assert!(matches!(look(&bytes[..len], SEED), Found::Bad(Flaw::Cut)), "{len}");
    }
}

#[test]
fn nonsense_with_a_right_checksum_is_refused() {
    for kind in 0..=255u8 {
        for len in [0, 8, 16, 24, 40] {
            let mut bytes = sealed(|out| out.blob(&vec![0xff; len]));
            bytes[8] = kind;
            bytes[12] = 200;
            seal(&mut bytes, SEED);
            // It may be refused or understood, but never read beyond its end.
            let _ = raw(&bytes).view();
        }
    }
}
