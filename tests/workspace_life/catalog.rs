use crate::world::{World, condition, is_ready};

#[tokio::test]
async fn what_the_platform_ships_is_valid() {
    let world = World::new("catalog").await;
    for (kind, name) in [("Plan", "openclaw-trial"), ("Blueprint", "openclaw"), ("WorkspacePolicy", "trial")]
    {
        let object = world.until(kind, name, "be ready", is_ready).await;
        assert_eq!(condition(&object, "Ready")["reason"], "Valid", "{kind}");
        assert_eq!(object["status"]["observedGeneration"], object["metadata"]["generation"], "{kind}");
    }
    world.at_rest().await;
}
