//! A part of the namespaces, by which several controllers share a cluster.

use sha2::{Digest, Sha256};

/// One of some shards. Each namespace belongs to one of them, with everything in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    number: u32,
    of: u32,
}

impl Shard {
    /// All namespaces.
    pub const WHOLE: Self = Self { number: 0, of: 1 };

    /// The shard of this number, counted from 0, of so many.
    #[must_use]
    pub fn new(number: u32, of: u32) -> Self {
        Self { number, of }
    }

    /// Whether it is the one that does what is done once for all shards.
    #[must_use]
    pub fn is_first(self) -> bool {
        self.number == 0
    }

    /// Whether a namespace belongs to it. Controllers of different versions must agree, so this never changes.
    #[must_use]
    pub fn has(self, namespace: &str) -> bool {
        if self.of <= 1 {
            return true;
        }
        let first = Sha256::digest(namespace).iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte));
        first % u64::from(self.of) == u64::from(self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_namespace_belongs_to_one_shard_and_shards_are_of_a_size() {
        let names: Vec<String> = (0..3_000).map(|number| format!("team-{number}")).collect();
        let shards = [0, 1, 2].map(|number| Shard::new(number, 3));
        assert!(names.iter().all(|name| shards.iter().filter(|shard| shard.has(name)).count() == 1));
        let sizes = shards.map(|shard| names.iter().filter(|name| shard.has(name)).count());
        assert!(sizes.iter().all(|size| (900..=1_100).contains(size)), "{sizes:?}");
        assert!(names.iter().all(|name| Shard::WHOLE.has(name)));
    }

    #[test]
    fn the_shard_of_a_namespace_never_changes() {
        let shard_of = |namespace: &str| (0..4).find(|number| Shard::new(*number, 4).has(namespace));
        assert_eq!(["team-a", "default", "team-b", "clinic"].map(shard_of), [0, 1, 2, 3].map(Some));
    }
}
