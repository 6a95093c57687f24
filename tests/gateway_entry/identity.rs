//! What the merge does to `IDENTITY.md`.

use crate::world::{Declared, World};

fn named(name: &'static str) -> Declared {
    Declared { persona: Some(name), ..Declared::default() }
}

#[test]
fn a_workspace_without_one_gets_it() {
    let world = World::new();
    world.start(&named("Ada"));
    let expected = "# IDENTITY.md - Who Am I?\n\n- **Name:** Ada\n";
    assert_eq!(world.read("data/workspace/IDENTITY.md"), expected);
}

#[test]
fn only_the_name_line_changes_in_one_that_is_there() {
    for (found, expected) in [
        ("# Me\n- **Name:** Old\n- **Vibe:** calm\n", "# Me\n- **Name:** Bea\n- **Vibe:** calm\n"),
        ("# Me\r\n- Name: Old\r\ntext", "# Me\r\n- **Name:** Bea\r\ntext"),
        ("- **Name:**\n  _(pick something you like)_\n", "- **Name:** Bea\n  _(pick something you like)_\n"),
        ("# Me\n\n- **Emoji:** x\n", "# Me\n\n- **Name:** Bea\n- **Emoji:** x\n"),
        ("free text\n", "- **Name:** Bea\nfree text\n"),
        ("# Me\n- Name: Bea\n", "# Me\n- Name: Bea\n"),
    ] {
        let world = World::new();
        world.write("data/workspace/IDENTITY.md", found);
        world.start(&named("Bea"));
        assert_eq!(world.read("data/workspace/IDENTITY.md"), expected);
    }
}

#[test]
fn without_a_persona_it_is_the_customer_s() {
    let world = World::new();
    let nobody = Declared { persona: None, ..Declared::default() };
    world.start(&nobody);
    assert!(!world.path("data/workspace/IDENTITY.md").exists());
    world.write("data/workspace/IDENTITY.md", "- Name: Mine\n");
    world.start(&nobody);
    assert_eq!(world.read("data/workspace/IDENTITY.md"), "- Name: Mine\n");
}

#[test]
fn one_that_is_not_text_is_left_alone_and_said() {
    let world = World::new();
    world.write("data/workspace/IDENTITY.md", [0xff, 0xfe, b'x']);
    let output = world.start(&named("Bea"));
    assert!(crate::world::stderr(&output).contains("the persona is not applied"));
    assert!(world.path("data/started.json").exists());
}
