//! Salvaging looks at every message in every segment, not only at what says where they are.

use super::Recovery;
use crate::store::error::{CannotOpen, Tried};
use crate::store::format::read::Flaw;
use crate::store::index::Index;
use crate::store::segments;
use crate::store::segments::read::records;

impl Recovery<'_> {
    /// Reads all live messages in segments. Those that cannot be read are gone from now on.
    pub(super) fn verify_segments(&mut self, index: &mut Index) -> Result<(), CannotOpen> {
        let all: Vec<u64> = index.segments.keys().copied().collect();
        for old in index.runs_of(&all) {
            let (queue, segment) = (old.key.queue, old.run.segment);
            let path = segments::path(&self.options.dir, segment);
            let mut bytes = vec![0; old.run.bytes as usize];
            let read = old.handle.read_at(&mut bytes, old.run.offset).tried("read", &path)?;
            let mut left = old.run.clone();
            let mut offset = old.run.offset;
            let mut flaw = Flaw::Ends;
            for record in records(&bytes[..read], 0, segments::seed(segment)) {
                match record {
                    Ok((_, raw)) => {
                        let at = raw.message_at().filter(|(of, _)| *of == queue);
                        if let Some(at) = at.and_then(|(_, at)| at.checked_sub(old.key.first))
                            && raw.view().is_ok()
                        {
                            left.clear(at, at + 1);
                        }
                    }
                    Err((at, why)) => {
                        if left.live == old.run.live || flaw == Flaw::Ends {
                            (offset, flaw) = (old.run.offset + at as u64, why);
                        }
                    }
                }
            }
            if left.live == 0 {
                continue;
            }
            // What is left was not found.
            index.condemned.insert(segment);
            self.forgive(CannotOpen::Damaged { path, offset, flaw })?;
            let mut next = left.next_live(0);
            while let Some(at) = next {
                let position = old.key.first + at;
                tracing::error!(%queue, position, "a message is lost");
                index.lose(queue, position);
                next = left.next_live(at + 1);
            }
        }
        Ok(())
    }
}
