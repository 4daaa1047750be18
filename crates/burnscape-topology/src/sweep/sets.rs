//! Disjoint sets in which the eldest member, that with the smallest number, is the root.

pub(crate) struct Sets {
    parents: Vec<u32>,
}

impl Sets {
    /// Sets of one member each.
    pub(crate) fn new(count: usize) -> Self {
        Self {
            parents: (0..count as u32).collect(),
        }
    }

    /// One more set, of the youngest member so far.
    pub(crate) fn push(&mut self) -> u32 {
        let member = self.parents.len() as u32;
        self.parents.push(member);
        member
    }

    /// The eldest member of the set.
    pub(crate) fn eldest(&mut self, mut member: u32) -> u32 {
        loop {
            let parent = self.parents[member as usize];
            if parent == member {
                return member;
            }
            let grandparent = self.parents[parent as usize];
            self.parents[member as usize] = grandparent;
            member = grandparent;
        }
    }

    /// Puts the set of a root under an elder root.
    pub(crate) fn join(&mut self, younger: u32, elder: u32) {
        self.parents[younger as usize] = elder;
    }
}
