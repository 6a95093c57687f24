//! What the tag of each image was last seen to stand for. It is told from the claims, where every Runtime's pin has
//! the digest that Fly reported: no registry is asked, and a restart forgets nothing.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;

use crate::api::name_claim::Pin;

/// What a tag was seen to stand for. The newer one is the greater one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SeenImage {
    /// When it was first seen so.
    pub seen: Timestamp,
    /// The digest.
    pub digest: String,
}

/// The newest digest of each image text.
#[derive(Debug, Default)]
pub struct Images {
    newest: HashMap<String, SeenImage>,
    moved: HashSet<String>,
}

impl Images {
    /// Takes in what a pin says. An image that is given by digest can't move.
    pub fn note(&mut self, pin: &Pin) {
        let (Some(digest), Some(seen)) = (&pin.image_digest, pin.image_seen_time) else { return };
        let text = &pin.spec.image;
        if text.contains('@') {
            return;
        }
        let news = SeenImage { seen, digest: digest.clone() };
        let Some(known) = self.newest.get_mut(text) else {
            self.newest.insert(text.clone(), news);
            return;
        };
        if *known < news {
            if known.digest != news.digest {
                self.moved.insert(text.clone());
            }
            *known = news;
        }
    }

    /// What the image's tag was last seen to stand for.
    pub fn newest(&self, image: &str) -> Option<SeenImage> {
        self.newest.get(image).cloned()
    }

    /// The images whose tags moved since this was last asked.
    pub fn take_moved(&mut self) -> HashSet<String> {
        std::mem::take(&mut self.moved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Blueprint;
    use crate::api::name_claim::PinnedPlan;
    use crate::api::plan::CpuKind;

    fn pin(image: &str, digest: &str, seen: i64) -> Pin {
        let shipped: Blueprint =
            serde_saphyr::from_str(include_str!("../../../examples/platform/blueprint-openclaw.yaml"))
                .unwrap();
        let mut spec = shipped.spec;
        spec.image = image.into();
        Pin {
            plan: PinnedPlan {
                name: "small".into(),
                cpu_kind: CpuKind::Shared,
                cpus: 1,
                memory_mb: 2048,
                volume_gb: 1,
            },
            blueprint: "openclaw".into(),
            blueprint_generation: 1,
            spec: std::sync::Arc::new(spec),
            image_digest: Some(digest.into()),
            image_seen_time: Timestamp::from_second(seen).ok(),
        }
    }

    #[test]
    fn the_newest_digest_stays_in_whatever_order_claims_come() {
        let pins = [pin("a:1", "sha256:1", 10), pin("a:1", "sha256:2", 20), pin("b:1", "sha256:3", 30)];
        for order in [[0, 1, 2], [1, 0, 2], [2, 1, 0]] {
            let mut images = Images::default();
            for at in order {
                images.note(&pins[at]);
            }
            assert_eq!(images.newest("a:1").unwrap().digest, "sha256:2");
            assert_eq!(images.newest("b:1").unwrap().digest, "sha256:3");
        }
    }

    #[test]
    fn a_move_is_told_of_once_and_the_first_sight_is_none() {
        let mut images = Images::default();
        images.note(&pin("a:1", "sha256:1", 10));
        assert!(images.take_moved().is_empty());
        images.note(&pin("a:1", "sha256:1", 15));
        assert!(images.take_moved().is_empty(), "the same digest is no move");
        images.note(&pin("a:1", "sha256:2", 20));
        assert_eq!(images.take_moved(), HashSet::from(["a:1".to_owned()]));
        assert!(images.take_moved().is_empty());
    }

    #[test]
    fn an_image_by_digest_never_moves() {
        let mut images = Images::default();
        images.note(&pin("a@sha256:1", "sha256:1", 10));
        assert_eq!(images.newest("a@sha256:1"), None);
    }
}
