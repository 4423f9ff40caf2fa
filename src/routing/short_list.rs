//! A list that lives on the stack while it is short.

/// Up to `N` items without an allocation; past that they move to the heap together.
pub(super) struct ShortList<T, const N: usize> {
    inline: [T; N],
    len: usize,
    /// All items, once there are more than `N`.
    spilled: Vec<T>,
}

impl<T: Copy, const N: usize> ShortList<T, N> {
    /// An empty list; `blank` fills the places that are not used.
    pub(super) fn new(blank: T) -> Self {
        Self { inline: [blank; N], len: 0, spilled: Vec::new() }
    }

    #[inline]
    pub(super) fn push(&mut self, item: T) {
        if self.len < N {
            self.inline[self.len] = item;
        } else {
            if self.len == N {
                self.spilled.clear();
                self.spilled.extend_from_slice(&self.inline);
            }
            self.spilled.push(item);
        }
        self.len += 1;
    }

    pub(super) fn clear(&mut self) {
        self.len = 0;
    }

    #[inline]
    pub(super) fn as_slice(&self) -> &[T] {
        if self.len <= N { &self.inline[..self.len] } else { &self.spilled }
    }

    #[inline]
    pub(super) fn as_mut_slice(&mut self) -> &mut [T] {
        if self.len <= N { &mut self.inline[..self.len] } else { &mut self.spilled }
    }
}
